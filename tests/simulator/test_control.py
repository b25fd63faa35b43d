"""The control endpoint, the clock, and the command line."""

from __future__ import annotations

import json
import subprocess
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from local.simulator import world
from local.simulator.__main__ import settings
from local.simulator.process import ROOT, ControlError, python, running

if TYPE_CHECKING:
    from local.simulator.process import Simulator

SINCE, UNTIL = "2026-11-23T09:00:00Z", "2026-11-23T09:10:00Z"
LOGS = "/api/v1/logs"


def test_the_python_api_knows_what_the_server_has(okta: Simulator) -> None:
    begin = datetime(2026, 11, 23, 9, tzinfo=UTC)
    made = world.events("7", 60, begin, begin + timedelta(minutes=10), rhythm="flat")
    assert [event.json() for event in made] == okta.control.events(SINCE, UNTIL)


def test_events_can_be_listed_as_of_any_instant(okta: Simulator) -> None:
    everything = okta.control.hidden(SINCE, UNTIL)
    then = okta.control.hidden(SINCE, UNTIL, as_of="2026-11-23T09:05:00Z")
    assert then == [event for event in everything if event["persisted"] <= "2026-11-23T09:05:00.000000Z"]
    okta.control.post("/clock", set="2026-11-23T09:05:00Z")
    assert okta.control.hidden(SINCE, UNTIL) == then
    assert okta.control.hidden(SINCE, UNTIL, all="1") == everything


def test_events_can_be_added(okta: Simulator, api: httpx.Client) -> None:
    given = {"eventType": "zone.delete", "outcome": {"result": "FAILURE"}, "target": None}
    (added,) = okta.control.post("/events", event=given, published="2026-11-23T09:00:30.5Z", persisted="+10s")
    assert added["published"] == "2026-11-23T09:00:30.500000Z"
    query = {"since": SINCE, "until": UNTIL, "filter": 'eventType eq "zone.delete"'}
    assert api.get(LOGS, params=query).json() == []
    okta.control.advance(10)
    (found,) = api.get(LOGS, params=query).json()
    assert found["uuid"] == added["uuid"]
    assert found["outcome"] == {"result": "FAILURE", "reason": None}
    assert found["target"] is None
    assert found["client"]["ipAddress"]
    bare = okta.control.post("/events", event={"uuid": "u", "published": "2026-11-23T09:00:31Z"}, bare=True, count=2)
    assert [event["uuid"] for event in bare] == ["u", "u"]
    both = okta.control.events("2026-11-23T09:00:31Z", "2026-11-23T09:00:31.001Z", duplicates="1")
    assert [event for event in both if event["uuid"] == "u"] == [{"uuid": "u", "published": "2026-11-23T09:00:31Z"}] * 2


def test_lateness_changes_from_an_instant_on(okta: Simulator) -> None:
    before = okta.control.hidden(SINCE, UNTIL, all="1")
    okta.control.post("/lateness", usual=0, share=1, longest=7200, **{"from": "2026-11-23T09:05:00Z"})
    after = okta.control.hidden(SINCE, UNTIL, all="1")
    half = [event["published"] < "2026-11-23T09:05:00" for event in before].count(True)
    assert after[:half] == before[:half]
    assert [event["uuid"] for event in after] == [event["uuid"] for event in before]

    def delay(event: dict[str, Any]) -> timedelta:
        return datetime.fromisoformat(event["persisted"]) - datetime.fromisoformat(event["published"])

    assert all(delay(event) >= timedelta(seconds=10) for event in after[half:])


def test_held_events_are_chosen_by_seed(okta: Simulator) -> None:
    one = okta.control.post("/hold", since=SINCE, until=UNTIL, count=5, by=7200, seed=3)
    okta.control.post("/reset", only=["events"])
    assert okta.control.post("/hold", since=SINCE, until=UNTIL, count=5, by=7200, seed=3) == one
    missing = {event["uuid"] for event in one}
    assert len(missing) == 5
    assert not missing & {event["uuid"] for event in okta.control.events(SINCE, UNTIL)}
    (again,) = okta.control.post("/hold", since=SINCE, until=UNTIL, uuids=[one[0]["uuid"]], persisted="now")
    assert again["uuid"] in {event["uuid"] for event in okta.control.events(SINCE, UNTIL)}


def test_the_clock_stands_moves_and_runs(okta: Simulator) -> None:
    assert okta.control.get("/clock")["now"] == "2026-11-23T10:00:05.000000Z"
    assert okta.control.advance(90)["now"] == "2026-11-23T10:01:35.000000Z"
    fast = okta.control.post("/clock", set="2026-11-23T11:00:00Z", speed=1000)
    assert fast["kind"] == "running"
    assert okta.control.get("/clock")["now"] > "2026-11-23T11:00:00.000000Z"
    assert okta.control.post("/clock", real=True)["kind"] == "real"
    assert okta.control.post("/clock", advance=0, speed=0)["kind"] == "frozen"


def test_reset_undoes_everything(okta: Simulator, api: httpx.Client) -> None:
    before = okta.control.get("/state")
    events = okta.control.events(SINCE, UNTIL)
    okta.control.fault("502")
    okta.control.post("/stories", name="admin-group", at=SINCE)
    okta.control.post("/limits", per_minute=3)
    okta.control.post("/lateness", usual=9)
    okta.control.call("DELETE", "/tokens", {"token": okta.token})
    okta.control.advance(50)
    assert api.get(LOGS).status_code == 502
    assert api.get(LOGS).status_code == 401
    okta.control.post("/reset")
    assert okta.control.get("/state") == before
    assert okta.control.events(SINCE, UNTIL) == events
    assert api.get(LOGS).status_code == 200
    with pytest.raises(ControlError, match="parts are"):
        okta.control.post("/reset", only=["nonsense"])


def test_requests_are_remembered_without_secrets(okta: Simulator, api: httpx.Client) -> None:
    api.get(LOGS, params={"limit": "1", "since": SINCE}, headers={"User-Agent": "tester/1"})
    (request,) = okta.control.get("/requests")
    assert request["status"] == 200
    assert request["kind"] == "polling"
    assert request["user_agent"] == "tester/1"
    assert okta.token not in json.dumps(request)


def test_bodies_travel_as_okta_s_do(okta: Simulator, api: httpx.Client) -> None:
    query = {"since": SINCE, "until": UNTIL, "limit": "50"}
    plain = api.get(LOGS, params=query)
    assert int(plain.headers["content-length"]) == len(plain.content)
    okta.control.post("/transfer", kind="gzip")
    packed = api.get(LOGS, params=query)
    assert packed.headers["content-encoding"] == "gzip"
    assert int(packed.headers["content-length"]) < len(plain.content) / 3
    assert packed.content == plain.content
    assert "content-encoding" not in api.get(LOGS, params=query, headers={"Accept-Encoding": "identity"}).headers
    okta.control.post("/transfer", kind="chunked")
    chunked = api.get(LOGS, params=query)
    assert "content-length" not in chunked.headers
    assert chunked.content == plain.content
    okta.control.fault("cut-body")
    with pytest.raises(httpx.RemoteProtocolError):
        api.get(LOGS, params=query)


def test_it_ends_with_the_process_that_started_it() -> None:
    script = (
        "import subprocess, sys, os; p = subprocess.Popen([sys.executable, '-m', 'local.simulator', '--rate', '1', "
        "'--parent', str(os.getpid())], stdout=subprocess.PIPE); p.stdout.readline(); print(p.pid)"
    )
    command = [python(), "-c", script]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, check=True, timeout=60)
    process = Path(f"/proc/{int(done.stdout)}")
    until = time.monotonic() + 20
    while process.exists() and time.monotonic() < until:
        time.sleep(0.1)
    assert not process.exists()


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/stories", {"name": "nonsense"}),
        ("POST", "/faults", {"kind": "nonsense"}),
        ("POST", "/clock", {"set": "soon"}),
        ("POST", "/lateness", {"usual": -1}),
        ("POST", "/hold", {}),
        ("POST", "/limits", {"per_minute": 0}),
        ("POST", "/events", [1]),
        ("POST", "/transfer", {"kind": "pigeon"}),
    ],
)
def test_nonsense_gets_a_sentence(okta: Simulator, method: str, path: str, body: Any) -> None:
    with pytest.raises(ControlError, match="400"):
        okta.control.call(method, path, body)


def test_the_control_token_is_asked_for() -> None:
    with running("--control-token", "open", "--rate", "1") as okta:
        assert okta.control.get("/clock")["kind"] == "real"
        assert httpx.get(f"{okta.control.url}/clock", trust_env=False).status_code == 403


def test_a_taken_port_is_a_sentence(okta: Simulator) -> None:
    command = [python(), "-m", "local.simulator", "--port", str(okta.ready["port"])]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, timeout=60, check=False)
    assert done.returncode == 1
    assert b"error: " in done.stderr
    assert b"Address already in use" in done.stderr


def test_the_command_line() -> None:
    given = settings(
        [
            "--clock",
            "2026-11-23T10:00:00Z",
            "--start",
            "2d",
            "--story",
            "mfa-fatigue@-1h",
            "--lateness",
            "none",
            "--token",
            "one",
            "--token",
            "two",
            "--oddities",
            "0.1:poison,huge",
            "--rate-limit",
            "20",
        ]
    )
    assert given.frozen_us is not None
    assert given.frozen_us - given.start_us == 2 * 86400 * 10**6
    assert given.stories == (("mfa-fatigue", given.frozen_us - 3600 * 10**6),)
    assert given.tokens == ("one", "two")
    assert given.oddities.kinds == ("poison", "huge")
    assert (given.limits.per_minute, given.lateness.usual) == (20, 0.0)
    assert len(settings([]).tokens[0]) > 20


@pytest.mark.parametrize(
    "arguments",
    [["--clock", "noon"], ["--start", "x"], ["--story", "nonsense@now"], ["--rate-limit", "0"], ["--lateness", "soon"]],
)
def test_a_command_line_that_makes_no_sense(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        settings(arguments)
    assert "error" in capsys.readouterr().err


def test_after_the_end_nothing_happens_but_what_is_added() -> None:
    end = "2026-11-23T09:30:30.500Z"
    with running("--seed", "7", "--clock", "2026-11-23T10:00:05Z", "--rhythm", "flat", "--end", end) as org:
        around = ("2026-11-23T09:30:00Z", "2026-11-23T09:40:00Z")
        before = org.control.hidden(*around)
        assert before
        assert all(event["published"] < end for event in before)
        org.control.post("/events", published="2026-11-23T09:35:00Z")
        assert len(org.control.hidden(*around)) == len(before) + 1


def test_a_simulator_that_does_not_start_says_whether_it_ended_or_was_slow() -> None:
    with pytest.raises(RuntimeError, match="ended with exit code 2 before it was ready"), running("--no-such-option"):
        pass
    with pytest.raises(RuntimeError, match=r"was not ready after 0\.01 s"), running(timeout=0.01):
        pass
