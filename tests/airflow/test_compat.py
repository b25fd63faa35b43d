from __future__ import annotations

import subprocess
import sys
from types import SimpleNamespace

import pytest

from oktalogger import compat
from tests.airflow.conftest import ROOT

MODULES = (
    "oktalogger.compat",
    "oktalogger.hooks.okta",
    "oktalogger.hooks.opensearch",
    "oktalogger.operators.system_log",
    "oktalogger.links.system_log",
    "oktalogger.plugin",
    "oktalogger.get_provider_info",
)


def run_python(code: str) -> subprocess.CompletedProcess[str]:
    done = subprocess.run([sys.executable, "-W", "always", "-c", code], text=True, capture_output=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done


def test_nothing_of_ours_warns_when_it_is_imported() -> None:
    # Importing Airflow puts the plugins folder on the path, as on a worker.
    code = f"import airflow.models, {', '.join(MODULES)}, runpy; runpy.run_path('{ROOT}/dags/okta_system_log.py')"
    warned = [line for line in run_python(code).stderr.splitlines() if "Warning" in line]
    assert [line for line in warned if f"{ROOT}/plugins" in line or f"{ROOT}/dags" in line] == []


def test_every_name_is_there() -> None:
    for name in compat.__all__:
        assert getattr(compat, name) is not None


def test_the_core_and_the_provider_info_need_no_airflow() -> None:
    run_python(
        f"import sys; sys.modules['airflow'] = None; sys.path.insert(0, '{ROOT}/plugins')\n"
        "import oktalogger.pipeline.load, oktalogger.okta.client, oktalogger.opensearch.store, oktalogger.settings\n"
        "import oktalogger.hooks.extras, oktalogger.hooks.forms, oktalogger.get_provider_info, oktalogger.urls"
    )


def test_what_opentelemetry_has_gathered_is_sent_before_a_task_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    flushed: list[int] = []
    provider = SimpleNamespace(force_flush=lambda timeout_millis: flushed.append(timeout_millis))
    monkeypatch.setattr("opentelemetry.metrics.get_meter_provider", lambda: provider)
    compat.flush_stats()
    assert flushed == [], "where it is off, nothing is asked of it"
    monkeypatch.setenv("AIRFLOW__METRICS__OTEL_ON", "True")
    compat.flush_stats()
    assert flushed == [5000]
