"""Airflow hooks: how connections become clients."""
