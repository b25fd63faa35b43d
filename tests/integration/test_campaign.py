"""A small campaign: every kind of fault at least once, live, reconcile and backfill at once, each document compared."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from local.campaign.plan import campaign
from local.campaign.run import run
from local.opensearch.releases import DEFAULT_VERSION

if TYPE_CHECKING:
    from pathlib import Path

# It has an OpenSearch of its own, which it stops, kills and fills up.
pytestmark = [pytest.mark.opensearch, pytest.mark.timeout(1800)]


def test_nothing_is_lost_doubled_wrong_or_complete_too_early(tmp_path: Path) -> None:
    version = os.environ.get("OPENSEARCH_VERSION") or DEFAULT_VERSION
    report = run(campaign(seed=11, events=20_000), version=version, heap="512m", brief=True, logs=tmp_path / "logs")
    assert report.problems == [], report.text()
