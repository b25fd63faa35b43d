"""Folders of compiled rules, as a worker without pySigma has them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from local.standins.monitors import detection_id
from oktalogger.detections.bundle import BUNDLE_FILE, COMPILER_VERSION
from oktalogger.detections.criteria import Threshold
from oktalogger.detections.model import CompiledDetection

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


def detection(number: int, **changes: Any) -> CompiledDetection:
    """The rule of a number: it looks for events of a type of that number."""
    values: dict[str, Any] = {
        "id": detection_id(number),
        "name": f"rule_{number}",
        "title": f"Rule {number}",
        "description": f"What rule {number} finds.",
        "severity": "high",
        "runbook": "Ask the person.",
        "selection": f"eventType:test.rule.{number}",
        "file": f"rule_{number}.yml",
    }
    return CompiledDetection(**values | changes)


def counting(number: int, at_least: int, **changes: Any) -> CompiledDetection:
    """A rule that counts events of one actor in ten minutes."""
    threshold = Threshold(counted=None, group_by=("actor.alternateId",), seconds=600, at_least=at_least)
    return detection(number, threshold=threshold, **changes)


def write_folder(folder: Path, detections: Iterable[CompiledDetection]) -> Path:
    """Write a bundle without the rules that it was made from."""
    folder.mkdir(exist_ok=True)
    bundle = {"format": 1, "compiler_version": COMPILER_VERSION, "sources": {}}
    (folder / BUNDLE_FILE).write_text(json.dumps(bundle | {"detections": [one.as_dict() for one in detections]}))
    return folder
