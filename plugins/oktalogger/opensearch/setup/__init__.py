"""Setup: index templates, retention, roles and role mappings of a cluster, planned and then applied."""
