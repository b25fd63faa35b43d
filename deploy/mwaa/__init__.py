"""What Amazon MWAA takes: the package, its way to an environment, and backfills there."""
