"""Measures a backfill of 90 days during live loads, under Okta's rate limit, on a virtual clock."""
