"""What the demo promises to find is there to be found, whenever it is started."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from local.paths import ROOT
from local.simulator import world
from local.simulator.clock import parse_duration
from local.stack.detections import FINDS
from local.stack.settings import StackSettings
from local.stack.stack import STORIES, last_closed

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
# Between the simulator's start, from which stories are timed, and the choice of the windows.
STARTING = timedelta(seconds=20)


def told_before() -> dict[str, timedelta]:
    """The stories of the past, and how long ago they begin."""
    parted = [story.partition("@-") for story in STORIES if "@-" in story]
    return {name: parse_duration(ago) for name, _, ago in parted}


def test_each_story_that_has_to_be_found_is_told_and_its_rule_is_in_the_pack() -> None:
    bundle = json.loads((ROOT / "include" / "detections" / "bundle.json").read_text())
    assert FINDS.keys() <= {rule["name"] for rule in bundle["detections"]}
    assert set(FINDS.values()) == told_before().keys()


@pytest.mark.parametrize("name", sorted(set(FINDS.values())))
def test_each_lies_whole_in_the_windows_that_are_loaded_first(name: str) -> None:
    history = timedelta(minutes=StackSettings(line="", home=Path(), opensearch_home=Path(), ports={}).history)
    for second in range(0, 300, 10):
        began = NOON + timedelta(seconds=second)
        at = began - told_before()[name]
        told = world.events("demo", 0, at, at + timedelta(hours=1), stories=[(name, at)])
        published = [datetime.fromisoformat(event.json()["published"]) for event in told]
        for now in (began, began + STARTING):
            end = last_closed(now)
            assert end - history <= min(published), second
            assert max(published) < end, second
