"""Links from a task in the Airflow UI to where its events can be looked at."""
