"""Monitors: renders detections for OpenSearch Alerting, and syncs them with the server."""
