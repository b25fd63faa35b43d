"""Calls Okta's list endpoints: client, paging, login, rate limit. Imports neither Airflow nor the OpenSearch parts."""
