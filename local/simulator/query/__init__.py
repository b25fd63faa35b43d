"""Queries of the System Log: parameters, filters, cursors, pages."""
