"""The archive in a server that speaks S3, as tasks use it: load, seal and compare, restore."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from local.standins.s3 import Bucket, environment, serving
from oktalogger.compat import AirflowFailException
from oktalogger.operators.archive import ArchiveReconcileOperator
from oktalogger.operators.reconcile import ReconcilePlanOperator
from oktalogger.operators.restore import (
    OktaArchiveToOpenSearchOperator,
    RestorePlanOperator,
    RestoreSummaryOperator,
)
from oktalogger.operators.system_log import OktaSystemLogToOpenSearchOperator
from oktalogger.window import Window, format_instant
from tests.airflow.deployment import HOUR, last_hours

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.airflow.deployment import Deployment

pytestmark = pytest.mark.opensearch


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[Bucket]:
    with serving() as bucket:
        for name, value in environment(bucket).items():
            monkeypatch.setenv(name, value)
        yield bucket


def reconciled(here: Deployment) -> Any:
    """Run reconcile up to its task of the archive."""
    context = here.context()
    units = here.run(ReconcilePlanOperator, context)
    for unit in units:
        here.run(OktaSystemLogToOpenSearchOperator, context, kind="reconcile", overlap=timedelta(0), **unit)
    return here.run(ArchiveReconcileOperator, context, windows=units)


def test_what_is_loaded_is_sealed_compared_and_restored(here: Deployment, s3: Bucket) -> None:
    whole = last_hours(2)
    counts = here.load(whole, hold_back=timedelta(0))
    assert counts["archived"] == counts["read"] > 0
    here.refresh()
    found = reconciled(here)
    assert found["troubles"] == []
    assert found["hours"] >= 1
    assert {name.split("/")[1] for name in s3.versions} >= {"events", "manifests"}
    assert all(len(versions) == 1 for versions in s3.versions.values())
    before = here.documents()

    altered = next(uuid for uuid, one in before.items() if one["published"] < format_instant(whole.start + HOUR))
    month = f"{here.prefix}-{before[altered]['published'][:7]}"
    httpx.put(f"{here.url}/{month}/_settings", json={"index.append_only.enabled": False}, trust_env=False)
    here.call("DELETE", f"/{month}")
    here.refresh()
    here.params = {"from": format_instant(whole.start), "to": format_instant(whole.end), "all": False}
    units = here.run(RestorePlanOperator)
    assert here.xcoms["absent"] == []
    for unit in units:
        here.run(OktaArchiveToOpenSearchOperator, **unit)
    summary = here.run(RestoreSummaryOperator, windows=units, absent=here.xcoms["absent"])
    after = here.documents()
    assert after.keys() == before.keys()
    assert summary["created"] == len([one for one in before.values() if one["published"][:7] == month[-7:]])
    restored = [one["oktalogger"] for one in after.values() if one["oktalogger"]["load_kind"] == "restore"]
    assert restored
    assert all(one["historical"] for one in restored)


def test_a_document_that_the_archive_does_not_have_is_an_alarm(here: Deployment, s3: Bucket) -> None:
    whole = last_hours(2)
    here.load(whole, hold_back=timedelta(0))
    here.refresh()
    uuid, event = next(iter(here.documents().items()))
    hour = Window(whole.start, whole.start + HOUR)
    forged = event | {"uuid": "made-up", "published": format_instant(hour.start + HOUR / 2)}
    here.call("PUT", f"/{here.prefix}-{forged['published'][:7]}/_create/made-up", forged)
    with pytest.raises(AirflowFailException, match=r"differ\. .*1 are not in the archive"):
        reconciled(here)
    assert uuid


def test_what_is_not_in_the_archive_is_said(here: Deployment, s3: Bucket) -> None:
    window = Window(last_hours(3).start, last_hours(3).start + HOUR)
    here.params = {"from": format_instant(window.start), "to": format_instant(window.end), "all": False}
    assert here.run(RestorePlanOperator) == []
    with pytest.raises(AirflowFailException, match="1 are not in the archive"):
        here.run(RestoreSummaryOperator, windows=[], absent=here.xcoms["absent"])


def test_a_bucket_that_is_not_there_fails_the_load_at_once_and_says_what_to_do(
    here: Deployment, s3: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OKTALOGGER_ARCHIVE", "s3://nowhere/okta")
    window = Window(last_hours(1).start, last_hours(1).start + HOUR / 4)
    here.okta.control.post("/events", published=format_instant(window.start))
    with pytest.raises(AirflowFailException, match=r"NoSuchBucket.*correct OKTALOGGER_ARCHIVE"):
        here.load(window, hold_back=timedelta(0))
    assert set(here.documents()) == here.uuids(window), "what is archived nowhere is searched all the same"
    assert [entry["state"] for entry in here.ledger()] == ["failed"]
