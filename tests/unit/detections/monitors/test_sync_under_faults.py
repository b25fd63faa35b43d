"""The sync while everything goes wrong at once: it converges, makes no duplicate, and touches nobody else's monitor."""

from __future__ import annotations

import copy
import itertools
from dataclasses import dataclass, field
from typing import Any

from hypothesis import HealthCheck, Phase, event, given, settings
from hypothesis import strategies as st

from local.standins.alerting import BASE, AlertingStandIn
from local.standins.alerting_answers import Answer
from local.standins.monitors import detection_id, event_body, rendered, threshold_body
from local.standins.transport import CutError, in_process_client
from oktalogger.detections.monitors.api import AlertingClient
from oktalogger.detections.monitors.compare import differences
from oktalogger.detections.monitors.stored import Owner
from oktalogger.detections.monitors.sync import SyncIncompleteError, SyncOptions, apply_sync
from oktalogger.opensearch.errors import OpenSearchLoadError
from oktalogger.opensearch.request import RequestRetry

OWNER = Owner()
RULES = 5
# Explaining a failure traces every line, which takes minutes here.
PHASES = [phase for phase in Phase if phase != Phase.explain]


class KilledError(BaseException):
    """The process ended between two requests."""


FAULTS = [
    *("429", "500", "500 done", "503", "503 done", "409", "cut", "cut done", "killed", "killed done"),
    *("edit", "disable", "rename", "delete", "recreate", "copy", "edit foreign", "add foreign", "touch", "save"),
]
# Most requests go well, so that a run gets far enough to be hurt in the middle.
SCRIPTS = st.lists(st.one_of(st.just("well"), st.just("well"), st.sampled_from(FAULTS)), max_size=60)
RULE_SETS = st.dictionaries(st.integers(1, RULES), st.sampled_from(["a", "b"]), max_size=RULES)


@dataclass
class World:
    """A cluster with a colleague at its console, and the faults to come."""

    script: list[str]
    pick: int
    standin: AlertingStandIn = field(default_factory=AlertingStandIn)
    foreign: dict[str, dict[str, Any]] = field(default_factory=dict)
    edited: dict[str, dict[str, Any]] = field(default_factory=dict)
    saved: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.add_foreign()

    def handle(self, method: str, target: str, body: Any, headers: dict[str, str]) -> Answer:
        fault = self.script.pop(0) if self.script else "well"
        if fault in ("killed", "cut", "429", "500", "503"):
            return self.fail(fault)
        if fault == "409" and method == "PUT":
            return 409, {"error": {"type": "alerting_exception", "reason": "version conflict"}, "status": 409}
        # The API has no conditional delete: what is changed between the last look and the delete is lost.
        if fault in COLLEAGUE and method != "DELETE":
            COLLEAGUE[fault](self)
        self.check_target(method, target.partition("?")[0])
        answer = self.standin.handle(method, target, body, headers)
        if fault.endswith(" done"):
            return self.fail(fault.removesuffix(" done"))
        return answer

    def fail(self, fault: str) -> Answer:
        if fault == "killed":
            raise KilledError
        if fault == "cut":
            raise CutError
        return int(fault), {"error": {"type": "x", "reason": "injected"}, "status": int(fault)}

    def check_target(self, method: str, path: str) -> None:
        """No request of the sync may change a foreign monitor."""
        if method in ("PUT", "DELETE"):
            assert path.removeprefix(f"{BASE}/") not in self.foreign, f"{method} of a foreign monitor"

    def ours(self) -> list[str]:
        return [monitor_id for monitor_id in self.standin.monitors() if monitor_id not in self.foreign]

    def one_of_ours(self) -> str | None:
        ours = self.ours()
        self.pick += 7
        return ours[self.pick % len(ours)] if ours else None

    def change(self, *, keep_metadata: bool, **changes: Any) -> None:
        if (monitor_id := self.one_of_ours()) is not None:
            self.standin.edit(monitor_id, keep_metadata=keep_metadata, **changes)
            self.edited[monitor_id] = copy.deepcopy(self.standin.jobs[monitor_id].content)

    def edit(self) -> None:
        self.change(keep_metadata=False, schedule={"period": {"interval": 7, "unit": "MINUTES"}})

    def disable(self) -> None:
        self.change(keep_metadata=True, enabled=False)

    def rename(self) -> None:
        self.change(keep_metadata=True, name="Renamed by a colleague")

    def touch(self) -> None:
        self.write_again(keep_metadata=True)

    def save(self) -> None:
        """Save in the console without a change, which throws our marker away."""
        if (monitor_id := self.write_again(keep_metadata=False)) is not None:
            self.saved.add(monitor_id)

    def write_again(self, *, keep_metadata: bool) -> str | None:
        if (monitor_id := self.one_of_ours()) is not None:
            self.standin.edit(monitor_id, keep_metadata=keep_metadata)
            if monitor_id in self.edited:
                self.edited[monitor_id] = copy.deepcopy(self.standin.jobs[monitor_id].content)
        return monitor_id

    def delete(self) -> None:
        if (monitor_id := self.one_of_ours()) is not None:
            del self.standin.jobs[monitor_id]
            self.edited.pop(monitor_id, None)

    def recreate(self) -> None:
        """Post a monitor of ours once more, marker and all."""
        if (monitor_id := self.one_of_ours()) is not None and monitor_id not in self.edited:
            self.standin.handle("POST", BASE, self.standin.jobs[monitor_id].content)

    def copy(self) -> None:
        """Save a monitor of ours under another name: from then on it is the colleague's."""
        if (monitor_id := self.one_of_ours()) is not None and monitor_id not in self.edited:
            body = self.standin.jobs[monitor_id].content | {"name": "An experiment"}
            self.remember(self.standin.handle("POST", BASE, body)[1]["_id"])

    def add_foreign(self) -> None:
        body = event_body(99) | {"name": "Somebody's monitor"}
        self.remember(self.standin.handle("POST", BASE, body)[1]["_id"])

    def edit_foreign(self) -> None:
        monitor_id = next(iter(self.foreign))
        self.standin.edit(monitor_id, enabled=False)
        self.remember(monitor_id)

    def remember(self, monitor_id: str) -> None:
        self.foreign[monitor_id] = copy.deepcopy(self.standin.jobs[monitor_id].content)

    def wanted(self, rules: dict[int, str]) -> list[Any]:
        return [
            rendered(number, body=threshold_body(number, at_least=ord(query)))
            if number % 3 == 0
            else rendered(number, query=f"eventType:{query}")
            for number, query in rules.items()
        ]

    def sync(self, rules: dict[int, str], *put_back: str) -> int:
        """Sync until a run succeeds, as a scheduler does that starts a failed task again; return the last's writes."""
        options = SyncOptions(delete_share=1.0, put_back=frozenset(put_back))
        for _ in itertools.count():
            client = AlertingClient(
                in_process_client(self.handle), retry=RequestRetry(attempts=2), sleep=lambda _: None
            )
            if not self.script:
                return apply_sync(client, self.wanted(rules), OWNER, options, sleep=lambda _: None).writes
            try:
                return apply_sync(client, self.wanted(rules), OWNER, options, sleep=lambda _: None).writes
            except (KilledError, OpenSearchLoadError, SyncIncompleteError) as error:
                event(f"ended by {type(error).__name__}")
        raise AssertionError

    def check_foreign(self) -> None:
        left = self.standin.monitors()
        assert {monitor_id: left.get(monitor_id) for monitor_id in self.foreign} == self.foreign

    def check_edits(self) -> None:
        """What a person changed is as that person left it."""
        left = self.standin.monitors()
        for monitor_id, content in self.edited.items():
            assert left.get(monitor_id) == content

    def by_rule(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for monitor_id, content in self.standin.monitors().items():
            if content["name"].startswith("oktalogger: "):
                found.setdefault(content["name"][-37:-1], []).append(monitor_id)
        return found


COLLEAGUE = {
    "edit": World.edit,
    "disable": World.disable,
    "rename": World.rename,
    "touch": World.touch,
    "save": World.save,
    "delete": World.delete,
    "recreate": World.recreate,
    "copy": World.copy,
    "add foreign": World.add_foreign,
    "edit foreign": World.edit_foreign,
}


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow], phases=PHASES)
@given(first=RULE_SETS, then=RULE_SETS, scripts=st.tuples(SCRIPTS, SCRIPTS), pick=st.integers(0, 6))
def test_converges_under_faults(
    first: dict[int, str], then: dict[int, str], scripts: tuple[list[str], list[str]], pick: int
) -> None:
    world = World(list(scripts[0]), pick)
    world.sync(first)
    world.script = list(scripts[1])
    world.sync(then)
    # From here on nobody interferes. What was left by a fault in the last request is repaired by one more run.
    world.script = []
    world.sync(then)
    assert world.sync(then) == 0

    world.check_foreign()
    world.check_edits()
    wanted = {detection_id(number): monitor for number, monitor in zip(then, world.wanted(then), strict=True)}
    renamed = [content for content in world.edited.values() if content["name"] == "Renamed by a colleague"]
    for rule, monitors in world.by_rule().items():
        clean = [monitor_id for monitor_id in monitors if monitor_id not in world.edited]
        touched = [monitor_id for monitor_id in monitors if monitor_id in world.edited]
        assert len(clean) + bool(touched) <= 1, "a duplicate"
        for monitor_id in clean:
            if monitor_id in world.saved:
                continue  # without a marker nobody can say whether that save changed something
            assert rule in wanted, "a monitor whose rule is gone"
            assert differences(wanted[rule].body, world.standin.jobs[monitor_id].content) == ()
    missing = wanted.keys() - world.by_rule().keys()
    assert len(missing) <= len(renamed), "a rule without a monitor"

    # Asked to, it overrides what was changed by hand, and what is not ours stays as it is even then.
    world.sync(then, "all")
    assert world.sync(then, "all") == 0
    world.check_foreign()
    assert {rule: len(monitors) for rule, monitors in world.by_rule().items()} == dict.fromkeys(wanted, 1)
    for rule, (monitor_id,) in world.by_rule().items():
        assert differences(wanted[rule].body, world.standin.jobs[monitor_id].content) == ()
