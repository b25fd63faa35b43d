"""Sets up a cluster: plans, then applies index templates, retention, roles and role mappings."""
