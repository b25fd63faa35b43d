"""Airflow notifiers: they tell people about detections on a cluster without the Alerting plugin."""
