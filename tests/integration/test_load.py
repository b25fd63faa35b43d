"""The whole load, from a simulated org to a real OpenSearch, by the command line of a first try and of an incident."""

from __future__ import annotations

import json
import signal
import subprocess
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from local.simulator.process import Simulator, running
from local.simulator.world.oddities import HARMLESS
from oktalogger.pipeline.drift import restored

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.integration.conftest import Deployment

pytestmark = pytest.mark.opensearch

NOW = "2026-11-16T12:00:00Z"
SINCE = "2026-11-16T10:00:00Z"
UNTIL = "2026-11-16T11:00:00Z"
# What json can read: the campaign and the unit tests send the others.
KINDS = (*HARMLESS, "drift", "poison")
HOUR = ("--from", SINCE, "--to", UNTIL, "--page-limit", "50")


@pytest.fixture(scope="module")
def org() -> Iterator[Simulator]:
    with running("--seed", "load", "--rate", "10", "--clock", NOW, "--rate-limit", "100000") as simulator:
        yield simulator


@pytest.fixture
def busy(org: Simulator) -> Simulator:
    org.control.post("/reset")
    return org


def okta_s_own(document: dict[str, Any]) -> dict[str, Any]:
    return restored(document)


def assert_exact(deployment: Deployment, okta: Simulator, since: str = SINCE, until: str = UNTIL) -> None:
    """Compare every document, whole, with what the org holds."""
    expected = {event["uuid"]: event for event in okta.control.events(since, until)}
    found = deployment.documents()
    assert len(expected) > 100
    assert set(found) == set(expected)
    assert {uuid: okta_s_own(document) for uuid, document in found.items()} == expected


def test_an_hour_arrives_whole_and_a_second_load_changes_nothing(deployment: Deployment, busy: Simulator) -> None:
    first = deployment.load(busy, *HOUR, "--json")
    assert first.returncode == 0, first.stderr
    assert_exact(deployment, busy)
    counts = json.loads(first.stdout)
    assert counts["created"] == counts["read"] == len(deployment.documents())
    assert counts["existing"] == counts["rejected"] == 0

    second = deployment.load(busy, *HOUR, "--json")
    again = json.loads(second.stdout)
    assert (again["created"], again["existing"]) == (0, counts["created"])
    assert_exact(deployment, busy)


def test_the_counts_read_well_without_json(deployment: Deployment, busy: Simulator) -> None:
    done = deployment.load(busy, "--from", SINCE, "--to", "2026-11-16T10:05:00Z")
    assert done.returncode == 0
    assert done.stdout.startswith("[2026-11-16T10:00:00Z, 2026-11-16T10:05:00Z): read ")
    assert "rejected 0" in done.stdout


def test_windows_that_touch_share_no_event_and_leave_none_out(deployment: Deployment, busy: Simulator) -> None:
    middle = "2026-11-16T10:27:13.137Z"
    for since, until in ((SINCE, middle), (middle, UNTIL)):
        assert deployment.load(busy, "--from", since, "--to", until).returncode == 0
    assert_exact(deployment, busy)


def test_a_window_that_has_only_just_ended_is_read_when_the_hold_back_is_over(deployment: Deployment) -> None:
    with running("--seed", "fresh", "--rate", "60", "--clock", NOW, "--lateness", "usual=4") as okta:
        window = ("2026-11-16T11:58:00Z", NOW)

        def let_time_go_on_once_asked() -> None:
            until = time.monotonic() + 60
            while not okta.control.counters().get("requests") and time.monotonic() < until:
                time.sleep(0.05)
            okta.control.post("/clock", speed=1)

        clock = threading.Thread(target=let_time_go_on_once_asked)
        clock.start()
        done = deployment.load(okta, "--from", window[0], "--to", NOW, OKTALOGGER_HOLD_BACK_SECONDS="8")
        clock.join()
        assert done.returncode == 0, done.stderr
        assert "by Okta's clock it was too early for this window" in done.stderr
        assert_exact(deployment, okta, *window)


def test_what_real_events_hold_is_stored_or_kept_with_the_reason(deployment: Deployment) -> None:
    oddities = "0.5:" + ",".join(KINDS)
    with running(
        "--seed", "odd", "--rate", "10", "--clock", NOW, "--oddities", oddities, "--rate-limit", "100000"
    ) as odd:
        done = deployment.load(odd, *HOUR, "--json")
        hidden = odd.control.hidden(SINCE, UNTIL)
        expected = {event["uuid"]: event for event in odd.control.events(SINCE, UNTIL)}
    counts = json.loads(done.stdout)
    assert {event["oddity"] for event in hidden} | {None, "duplicate", "burst"} == {*KINDS, None}
    found = deployment.documents()
    rejected = deployment.documents(deployment.names.rejected)
    kept = {document["uuid"] for document in rejected.values()}
    assert done.returncode == 3, done.stderr
    assert "refused" in done.stderr
    assert set(found) | kept == set(expected)
    assert set(found) & kept == set()
    assert kept == {event["uuid"] for event in hidden if event["oddity"] == "poison"}
    drifted = {uuid for uuid, document in found.items() if "drifted" in document["oktalogger"]}
    assert drifted == {event["uuid"] for event in hidden if event["oddity"] == "drift"}
    assert {uuid: okta_s_own(document) for uuid, document in found.items()} == {
        uuid: event for uuid, event in expected.items() if uuid not in kept
    }
    for document in rejected.values():
        assert okta_s_own(json.loads(document["event"])) == expected[document["uuid"]]
        assert document["reason"]
    assert counts["created"] + counts["rejected"] == len(expected)
    assert counts["drifted"] >= len(drifted)


@pytest.mark.parametrize(
    "fault",
    [
        "429-rate", "429-concurrency", "500-timeout", "502", "503", "504", "reset", "cut-body", "reset-body",
        "slow-body", "looping-next", "returning-next", "vanishing-next", "empty-page", "comma-links",
    ],
)  # fmt: skip
def test_no_fault_of_okta_s_loses_or_doubles_anything(deployment: Deployment, busy: Simulator, fault: str) -> None:
    seconds = {"429-rate": 1, "slow-body": 2}.get(fault)
    busy.control.fault(fault, times=2, skip=1, **({"seconds": seconds} if seconds else {}))
    done = deployment.load(busy, *HOUR)
    assert done.returncode == 0, done.stderr
    assert busy.control.get("/faults")["fired"].get(fault, 0) >= 1
    assert_exact(deployment, busy)


class TestKilled:
    """A task that is killed goes on after the last page that was stored, and nothing says "complete" before it is."""

    def entries(self, deployment: Deployment) -> list[dict[str, Any]]:
        return list(deployment.documents(deployment.names.ledger).values())

    def wait_for_pages(self, deployment: Deployment, pages: int) -> None:
        until = time.monotonic() + 60
        while time.monotonic() < until:
            if deployment.client.indices.exists(index=deployment.names.ledger):
                entries = self.entries(deployment)
                if entries and entries[0].get("counts", {}).get("pages", 0) >= pages:
                    return
            time.sleep(0.05)
        pytest.fail("the load made no progress")

    @pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
    def test_it_resumes_after_the_last_stored_page(
        self, deployment: Deployment, busy: Simulator, number: signal.Signals
    ) -> None:
        total = -(-len(busy.control.events(SINCE, UNTIL)) // 50)
        busy.control.fault("slow-body", times=100, skip=2, seconds=1.5)
        with subprocess.Popen(
            deployment.command("load", *HOUR), env=deployment.environ(busy), stderr=subprocess.DEVNULL
        ) as process:
            self.wait_for_pages(deployment, 2)
            process.send_signal(number)
            process.wait(30)
        assert process.returncode != 0
        (entry,) = self.entries(deployment)
        assert entry["state"] == ("running" if number is signal.SIGKILL else "failed")
        assert entry.get("completed_at") is None
        stored = entry["counts"]["pages"]
        assert 2 <= stored < total

        busy.control.post("/reset", only=["faults", "counters"])
        done = deployment.load(busy, *HOUR, "--json")
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["pages"] == total - stored
        (entry,) = self.entries(deployment)
        assert (entry["state"], entry["tries"]) == ("complete", 2)
        assert entry["counts"]["read"] == len(busy.control.events(SINCE, UNTIL))
        assert entry["counts"]["created"] == entry["counts"]["read"], "also what was stored and not written down"
        assert_exact(deployment, busy)

    def test_a_cursor_that_okta_no_longer_takes_falls_back_to_the_start_and_says_so(
        self, deployment: Deployment, busy: Simulator
    ) -> None:
        busy.control.fault("html-200", skip=2)
        assert deployment.load(busy, *HOUR).returncode == 1
        busy.control.fault("expired-cursor")
        done = deployment.load(busy, *HOUR)
        assert done.returncode == 0, done.stderr
        assert "again from its start" in done.stderr
        (entry,) = self.entries(deployment)
        assert entry["counts"]["read"] == len(busy.control.events(SINCE, UNTIL))
        assert_exact(deployment, busy)


class TestBadDays:
    """Each has its own clear error and exit, and loses nothing."""

    def failed(self, done: subprocess.CompletedProcess[str], code: int, *words: str) -> None:
        assert done.returncode == code, done.stderr
        assert "Traceback" not in done.stderr
        for word in words:
            assert word in done.stderr

    def test_wrong_token(self, deployment: Deployment, busy: Simulator) -> None:
        done = deployment.load(busy, *HOUR, OKTALOGGER_OKTA_TOKEN="wrong")
        self.failed(done, 1, "E0000011", "Check the API token")
        assert "wrong" not in done.stderr.replace("wrong token", "")

    def test_missing_admin_role(self, deployment: Deployment, busy: Simulator) -> None:
        token = busy.control.post("/tokens", admin=False)["token"]
        self.failed(deployment.load(busy, *HOUR, OKTALOGGER_OKTA_TOKEN=token), 1, "E0000006", "role")

    def test_unknown_host(self, deployment: Deployment, busy: Simulator) -> None:
        done = deployment.load(busy, *HOUR, OKTALOGGER_OKTA_URL="https://nobody.invalid")
        self.failed(done, 1, "There is no such host: https://nobody.invalid")

    def test_plain_http_to_another_machine(self, deployment: Deployment, busy: Simulator) -> None:
        done = deployment.load(busy, *HOUR, OKTALOGGER_OKTA_URL="http://example.okta.com")
        self.failed(done, 2, "https")

    @pytest.mark.parametrize("fault", ["html-200", "object-200", "redirect"])
    def test_something_else_answers_in_okta_s_place(self, deployment: Deployment, busy: Simulator, fault: str) -> None:
        busy.control.fault(fault)
        self.failed(deployment.load(busy, *HOUR), 1, "error: ")
        assert deployment.load(busy, *HOUR).returncode == 0
        assert_exact(deployment, busy)

    def test_a_next_link_to_another_host_is_not_followed(self, deployment: Deployment, busy: Simulator) -> None:
        busy.control.fault("foreign-next")
        self.failed(deployment.load(busy, *HOUR), 1, "not followed")

    def test_since_after_until(self, deployment: Deployment, busy: Simulator) -> None:
        self.failed(deployment.load(busy, "--from", UNTIL, "--to", SINCE), 2, "not before its end")

    def test_a_window_in_the_future(self, deployment: Deployment, busy: Simulator) -> None:
        done = deployment.load(busy, "--from", "2999-01-01T00:00:00Z", "--to", "2999-01-01T00:05:00Z")
        self.failed(done, 2, "ends in the future")

    def test_a_window_over_180_days_back(self, deployment: Deployment, busy: Simulator) -> None:
        done = deployment.load(busy, "--from", "2026-01-01T00:00:00Z", "--to", "2026-01-01T00:05:00Z")
        self.failed(done, 1, "over 180 days prior", "E0000053")

    def test_opensearch_down(self, deployment: Deployment, busy: Simulator) -> None:
        done = deployment.load(busy, *HOUR, OKTALOGGER_OPENSEARCH_URL="http://127.0.0.1:9")
        self.failed(done, 1, "did not answer", "127.0.0.1", "Nothing listens there")

    def test_nothing_says_where_okta_is(self, deployment: Deployment, busy: Simulator) -> None:
        self.failed(deployment.load(busy, *HOUR, OKTALOGGER_OKTA_URL=""), 2, "OKTALOGGER_OKTA_URL is not set")
        self.failed(deployment.load(busy, *HOUR, OKTALOGGER_OKTA_TOKEN=""), 2, "OKTALOGGER_OKTA_TOKEN")

    def test_a_page_limit_that_okta_does_not_have(self, deployment: Deployment, busy: Simulator) -> None:
        self.failed(deployment.load(busy, *HOUR, "--page-limit", "5000"), 2, "not a number from 1 to 1000")

    def test_a_token_that_is_none(self, deployment: Deployment, busy: Simulator) -> None:
        done = deployment.load(busy, *HOUR, OKTALOGGER_OKTA_TOKEN="two words")
        self.failed(done, 2, "error: ")
        assert "two words" not in done.stderr

    def test_a_key_file_that_is_no_text(self, deployment: Deployment, busy: Simulator, tmp_path: Path) -> None:
        key = tmp_path / "key.der"
        key.write_bytes(b"\x30\x82\x04\xa4\xff")
        login = {"OKTALOGGER_OKTA_CLIENT_ID": "app", "OKTALOGGER_OKTA_PRIVATE_KEY_FILE": str(key)}
        self.failed(deployment.load(busy, *HOUR, OKTALOGGER_OKTA_TOKEN="", **login), 2, "is not text", str(key))

    def test_a_full_disk_stops_the_load_and_its_end_mends_it(self, deployment: Deployment, busy: Simulator) -> None:
        window = ("--from", SINCE, "--to", "2026-11-16T10:01:00Z")
        assert deployment.load(busy, *window).returncode == 0
        month = deployment.names.prefix + "-2026-11"
        block = {"index.blocks.read_only_allow_delete": True}
        deployment.client.indices.put_settings(index=month, body=block)
        self.failed(deployment.load(busy, *HOUR), 1, month)
        deployment.client.indices.put_settings(index=month, body={"index.blocks.read_only_allow_delete": None})
        assert deployment.load(busy, *HOUR).returncode == 0
        assert_exact(deployment, busy)

    def test_a_missing_template_is_made_again(self, deployment: Deployment, busy: Simulator) -> None:
        assert deployment.load(busy, "--from", SINCE, "--to", "2026-11-16T10:01:00Z").returncode == 0
        deployment.client.indices.delete_index_template(name=deployment.names.template)
        deployment.client.indices.delete(index=deployment.names.prefix + "-2026-11")
        assert deployment.load(busy, *HOUR).returncode == 0
        assert_exact(deployment, busy)

    def test_a_foreign_index_under_our_alias(self, deployment: Deployment, busy: Simulator) -> None:
        deployment.client.indices.create(index=deployment.names.alias)
        self.failed(deployment.load(busy, *HOUR), 1, "There is an index named", "OKTALOGGER_INDEX_PREFIX")
