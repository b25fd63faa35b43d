"""From a window of the Okta System Log to documents in OpenSearch: the arithmetic, the document, the load."""
