"""Tests that run on any real cluster with the Alerting plugin, in indices and monitors of their own."""
