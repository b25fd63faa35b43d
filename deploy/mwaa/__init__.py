"""Packages oktalogger for Amazon MWAA, deploys it to an environment, and backfills there."""
