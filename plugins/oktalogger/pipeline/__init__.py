"""Loads a window of the Okta System Log into OpenSearch: the documents, the load, the ledger."""
