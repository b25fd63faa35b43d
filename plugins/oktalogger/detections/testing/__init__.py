"""Testing: runs a rule's own test cases on a real OpenSearch."""
