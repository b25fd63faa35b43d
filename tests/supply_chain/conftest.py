"""These tests need the tools of ``.venvs/supply-chain``, and the environments of the Airflow lines beside it."""

from __future__ import annotations

from importlib.util import find_spec

if not all(map(find_spec, ("cyclonedx_py", "license_expression", "pip_audit"))):
    collect_ignore_glob = ["test_*.py"]
