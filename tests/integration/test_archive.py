"""The drill: load with the archive, lose the cluster, restore it, and find what somebody changed in the archive."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from local.campaign.archived import ArchiveJudge
from local.simulator.process import Simulator, running
from local.simulator.world.oddities import KINDS
from local.standins.s3 import environment, serving
from tests.indices import remove

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.integration.conftest import Deployment

pytestmark = pytest.mark.opensearch

NOW = "2026-11-18T12:00:00Z"
FIRST = ("2026-11-16T00:00:00Z", "2026-11-17T00:00:00Z")
SECOND = ("2026-11-17T00:00:00Z", "2026-11-18T00:00:00Z")
BOTH = ("--from", FIRST[0], "--to", SECOND[1])
MIDNIGHT = ("--from", "2026-11-16T22:00:00Z", "--to", "2026-11-17T01:00:00Z")
# What says by which load and when a document came, and nothing of the event.
KIN = ("ingested_at", "lateness_ms", "historical", "load_kind", "run_id", "window_start", "window_end")


@pytest.fixture(scope="module")
def org() -> Iterator[Simulator]:
    oddities = "0.2:" + ",".join(KINDS)
    with running(
        "--seed", "archive", "--rate", "0.7", "--clock", NOW, "--oddities", oddities, "--rate-limit", "100000"
    ) as simulator:
        yield simulator


@pytest.fixture
def okta(org: Simulator) -> Simulator:
    org.control.post("/reset")
    return org


def run(
    deployment: Deployment, okta: Simulator, archive: Path, *arguments: str
) -> tuple[subprocess.CompletedProcess[str], Any]:
    done = subprocess.run(
        deployment.command(*arguments, "--json"),
        env=deployment.environ(okta, OKTALOGGER_ARCHIVE=str(archive)),
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    return done, json.loads(done.stdout) if done.stdout else None


def load(deployment: Deployment, okta: Simulator, archive: Path, window: tuple[str, str], *more: str) -> Any:
    done, counts = run(deployment, okta, archive, "load", "--from", window[0], "--to", window[1], *more)
    assert done.returncode in (0, 3), done.stderr
    return counts


def without_kin(documents: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    def lean(document: dict[str, Any]) -> dict[str, Any]:
        added = document.get("oktalogger")
        if added is None:  # a rejected event
            return {name: value for name, value in document.items() if name not in (*KIN, "at")}
        kept = {name: value for name, value in added.items() if name not in KIN}
        # OpenSearch names one of several parts that do not fit, now this and now that, and it is taken out first.
        if "unmapped" in kept:
            kept["unmapped"] = sorted(kept["unmapped"], key=lambda part: str(part["path"]))
            kept["drifted"] = sorted(kept["drifted"])
        return {**document, "oktalogger": kept}

    return {uuid: lean(document) for uuid, document in documents.items()}


def differences(one: Any, other: Any, path: str = "") -> dict[str, tuple[Any, Any]]:
    """Return each value that differs, by its place."""
    if not (isinstance(one, dict) and isinstance(other, dict)):
        return {} if one == other else {path: (one, other)}
    found: dict[str, tuple[Any, Any]] = {}
    for key in one.keys() | other.keys():
        found |= differences(one.get(key), other.get(key), f"{path}/{key}")
    return found


def files(archive: Path) -> dict[str, bytes]:
    return {path.relative_to(archive).as_posix(): path.read_bytes() for path in archive.rglob("*") if path.is_file()}


def test_a_lost_cluster_comes_back_whole(deployment: Deployment, okta: Simulator, tmp_path: Path) -> None:
    counts = [load(deployment, okta, tmp_path, day) for day in (FIRST, SECOND)]
    assert [one["archived"] for one in counts] == [one["read"] for one in counts]
    before, rejected = deployment.documents(), deployment.documents(deployment.names.rejected)
    assert len(before) > 500
    assert len(rejected) > 10
    kept = files(tmp_path)
    load(deployment, okta, tmp_path, FIRST)
    assert files(tmp_path) == kept, "a load that is repeated writes nothing new"

    remove(deployment.client, deployment.names)
    done, said = run(deployment, okta, tmp_path, "restore", *BOTH)
    assert done.returncode == 3, done.stderr
    after = deployment.documents()
    assert differences(without_kin(before), without_kin(after)) == {}
    assert without_kin(deployment.documents(deployment.names.rejected)) == without_kin(rejected)
    assert {document["oktalogger"]["load_kind"] for document in after.values()} == {"restore"}
    assert all(document["oktalogger"]["historical"] for document in after.values())
    assert said["created"] == len(before)
    assert okta.control.counters()["requests"] == sum(one["requests"] for one in counts) + counts[0]["requests"]

    done, said = run(deployment, okta, tmp_path, "coverage", *MIDNIGHT, "--verify", "--against", "archive")
    assert done.returncode == 0, done.stdout[:3000]
    assert all(hour["state"] == "complete" for hour in said["hours"])
    done, said = run(deployment, okta, tmp_path, "restore", *BOTH)
    assert (done.returncode, said["windows"]) == (0, 0), "nothing is left to restore"


def test_s3_that_fails_and_is_slow_at_random_loses_nothing(deployment: Deployment, okta: Simulator) -> None:
    with serving(share=0.4, slow_seconds=0.5, seed="drill") as bucket:
        variables = environment(bucket)
        for hour in range(10, 14):
            window = ("--from", f"2026-11-16T{hour}:00:00Z", "--to", f"2026-11-16T{hour + 1}:00:00Z")
            done = deployment.load(okta, *window, "--page-limit", "25", **variables)
            assert done.returncode in (0, 3), done.stderr
        assert {"s3-answer-lost", "s3-internal-error", "s3-slow"} <= set(bucket.fired), bucket.fired
        judge = ArchiveJudge(bucket)
    judge.sent(
        okta.control.call("GET", "/events", since="2026-11-16T10:00:00Z", until="2026-11-16T14:00:00Z").splitlines()
    )
    verdict = judge.verdict()
    assert (verdict.unarchived, verdict.wrong) == (0, 0), verdict.examples
    assert verdict.events > 50
