"""One simulator for the whole folder, with its clock standing still, and begun anew for each test."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING

import pytest

from local.simulator.process import Simulator, running

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx

# The simulator's own environment has these; an Airflow environment need not.
if not all(map(find_spec, ("httptools", "httpx", "starlette", "uvicorn", "uvloop"))):
    collect_ignore_glob = ["test_*.py"]

NOW = "2026-11-23T10:00:05Z"


@pytest.fixture(scope="session")
def simulator() -> Iterator[Simulator]:
    with running("--seed", "7", "--clock", NOW, "--rate", "60", "--token", "secret", "--rhythm", "flat") as one:
        yield one


@pytest.fixture
def okta(simulator: Simulator) -> Simulator:
    simulator.control.post("/reset")
    return simulator


@pytest.fixture
def api(okta: Simulator) -> Iterator[httpx.Client]:
    import httpx

    headers = {"Authorization": f"SSWS {okta.token}"}
    with httpx.Client(base_url=okta.url, headers=headers, trust_env=False) as client:
        yield client
