"""Keeps Okta's events byte for byte outside OpenSearch: writes, reads, seals and checks them (docs/archive.md)."""
