"""Runs live loads, reconcile and backfill at once under every fault, and judges the result."""
