"""A stand-in for the Alerting and Notifications plugins, which no machine without Docker can run."""
