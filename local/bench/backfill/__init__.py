"""A backfill of 90 days beside live loads, under Okta's rate limit, on a virtual clock."""
