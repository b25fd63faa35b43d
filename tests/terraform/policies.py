"""Finds every policy in a state, so that one that is added is judged without anybody's having thought of it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.terraform.iam import Policy
    from tests.terraform.workspace import Run


@dataclass(frozen=True)
class Found:
    """One policy and where it is."""

    place: str
    document: Policy


def find_policies(run: Run) -> Iterator[Found]:
    """Yield every policy in a run's state, outputs included."""
    assert run.state is not None
    for address, values in _all_resources(run.state["root_module"]):
        for name, value in values.items():
            if document := _policy(value):
                yield Found(f"{address}.{name}", document)
    for name, output in run.state["outputs"].items():
        if document := _policy(output["value"]):
            yield Found(f"output.{name}", document)


def find_policy(run: Run, place: str) -> Policy:
    """Return the one policy whose place ends so."""
    found = [policy.document for policy in find_policies(run) if policy.place.endswith(place)]
    assert len(found) == 1, f"{len(found)} policies end with {place}: {[policy.place for policy in find_policies(run)]}"
    return found[0]


def _all_resources(module: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for resource in module.get("resources", ()):
        if resource["mode"] == "managed":
            yield resource["address"], resource["values"]
    for child in module.get("child_modules", ()):
        yield from _all_resources(child)


def _policy(value: Any) -> Policy | None:
    if not isinstance(value, str) or '"Statement"' not in value:
        return None
    document: Policy = json.loads(value)
    return document
