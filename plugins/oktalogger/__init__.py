"""Okta System Log into OpenSearch, and detections on it, by Apache Airflow."""

__version__ = "0.2.0"
