"""The real parts that tests run against: OpenSearch, and the Okta simulator. No Airflow here."""

from __future__ import annotations

import json
import os
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from local.process import LOCAL_PYTHON, ready_program

if TYPE_CHECKING:
    from collections.abc import Iterator

    from local.simulator.process import Simulator

OPENSEARCH_VERSION = os.environ.get("OPENSEARCH_VERSION") or "2.19.4"
# The first start on a machine fetches and builds a distribution.
OPENSEARCH_TIMEOUT = 600


@dataclass(frozen=True, slots=True)
class SecureOpenSearch:
    """An OpenSearch with the security plugin.

    :param url: with ``https``
    :param ca: the file of the authority that signed its certificate
    :param username: may do everything
    :param password: of that user
    :param certificates: a folder with client certificates: ``admin.pem`` may administer the security plugin,
        ``loader.pem`` is the user ``loader`` without a role; each has its ``-key.pem``
    """

    url: str
    ca: Path
    username: str
    password: str
    certificates: Path

    def __repr__(self) -> str:
        return f"SecureOpenSearch({self.url})"


@contextmanager
def _opensearch(log: Path, *options: str) -> Iterator[dict[str, Any]]:
    # Compiling well takes a third of the CPU time of a server that lives for minutes.
    command = [str(LOCAL_PYTHON), "-m", "local.opensearch", "run", "--brief", "--version", OPENSEARCH_VERSION, *options]
    with ready_program("OpenSearch", command, log=log, timeout=OPENSEARCH_TIMEOUT) as ready:
        yield ready


@pytest.fixture(scope="session")
def opensearch_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real OpenSearch without the security plugin, one for the session.

    ``OPENSEARCH_VERSION`` chooses the release; ``OKTALOGGER_TEST_OPENSEARCH_URL`` names one that runs already.
    """
    running = os.environ.get("OKTALOGGER_TEST_OPENSEARCH_URL")
    if running:
        yield running
        return
    with _opensearch(tmp_path_factory.mktemp("opensearch") / "run.log") as ready:
        yield ready["url"]


@pytest.fixture(scope="session")
def opensearch_secure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecureOpenSearch]:
    """A real OpenSearch with the security plugin and TLS, one for the session.

    ``OKTALOGGER_TEST_OPENSEARCH_SECURE`` names a file with the line of JSON of one that runs already.
    """
    running = os.environ.get("OKTALOGGER_TEST_OPENSEARCH_SECURE")
    if running:
        yield _secure(json.loads(Path(running).read_text()))
        return
    with _opensearch(tmp_path_factory.mktemp("opensearch-secure") / "run.log", "--security") as ready:
        yield _secure(ready)


def _secure(ready: dict[str, Any]) -> SecureOpenSearch:
    return SecureOpenSearch(
        url=ready["url"],
        ca=Path(ready["ca"]),
        username=ready["user"],
        password=ready["password"],
        certificates=Path(ready["certificates"]),
    )


@pytest.fixture(scope="session")
def _simulator() -> Iterator[Simulator]:
    from local.simulator.process import running

    # As busy at night as by day: what a test finds must not depend on when it runs.
    with running("--seed", "tests", "--rhythm", "flat") as simulator:
        yield simulator


@pytest.fixture
def okta(_simulator: Simulator) -> Simulator:
    """A simulated Okta org with its control client: one process for the session, begun anew for each test.

    A test that needs other options runs its own with :func:`local.simulator.process.running`.
    """
    _simulator.control.post("/reset")
    return _simulator
