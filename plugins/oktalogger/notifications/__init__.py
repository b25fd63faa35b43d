"""Airflow notifiers: who hears of detections on a cluster without the Alerting plugin."""
