"""Leaves these tests out where their environment is not this stage's."""

from __future__ import annotations

import importlib.util

if not all(map(importlib.util.find_spec, ("celery", "psycopg2", "airflow"))):
    collect_ignore_glob = ["test_company.py"]
