from __future__ import annotations

import os

import pytest

from tests.live.cluster import LIVE


@pytest.fixture(scope="session")
def real_cluster() -> None:
    """Skips a test where nobody named a cluster."""
    if not os.environ.get(LIVE):
        pytest.skip("needs a real cluster with the Alerting plugin: make test-live")
