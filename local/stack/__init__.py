"""The demo: OpenSearch, a simulated Okta org and Airflow with our DAG, on one machine."""
