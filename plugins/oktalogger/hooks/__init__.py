"""Airflow hooks: they make clients from connections."""
