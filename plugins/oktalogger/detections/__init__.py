"""Detections: Sigma rules in, queries, monitors and replays out."""
