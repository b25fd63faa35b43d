"""Measures the load: against the server's ceiling, the usual ways, and for its appetite in memory and disk."""
