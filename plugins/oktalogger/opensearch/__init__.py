"""OpenSearch: client and log-in, index templates and months, bulk load. Nothing here imports Airflow."""
