"""Redaction: what is taken out of an event before anything else sees it, so that people cannot be read from the log."""
