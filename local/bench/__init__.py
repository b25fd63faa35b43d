"""Measures the load's speed, memory and disk, and compares it with the server's limit and the usual ways."""
