"""The Okta System Log API: client, paging, authentication, rate limit. Knows nothing of Airflow or OpenSearch."""
