"""Defines the steps of a setup: each says what it would change, and can do it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Callable

    from opensearchpy import OpenSearch

Action = Literal["create", "change", "unchanged", "by hand"]
"""What has to be done about something; ``by hand`` is what no setup can do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SetupStep:
    """One object on the server, and the change that it needs.

    :param kind: kind of object, such as ``role`` or ``index template``
    :param name: its name on the server
    :param action: what the step does
    :param changes: the differences, a line each: ``+`` is added, ``-`` is removed
    :param do: applies the step with the given client
    """

    kind: str
    name: str
    action: Action
    changes: tuple[str, ...] = ()
    do: Callable[[OpenSearch], object] | None = field(default=None, repr=False, compare=False)

    def as_dict(self) -> dict[str, Any]:
        """Return plain values, for JSON."""
        return {"kind": self.kind, "name": self.name, "action": self.action, "changes": list(self.changes)}


@dataclass(frozen=True, slots=True)
class SetupPlan:
    """The steps of a setup.

    :param steps: all steps, unchanged objects included, in the order in which to apply them
    :param notices: hints for the user, such as parts left out, a sentence each
    """

    steps: tuple[SetupStep, ...] = ()
    notices: tuple[str, ...] = ()

    def __add__(self, other: SetupPlan) -> SetupPlan:
        return SetupPlan(self.steps + other.steps, self.notices + other.notices)

    @property
    def changes(self) -> tuple[SetupStep, ...]:
        """The steps with something to do."""
        return tuple(step for step in self.steps if step.action not in ("unchanged", "by hand"))

    @property
    def by_hand(self) -> tuple[SetupStep, ...]:
        """What is wrong and somebody has to put right."""
        return tuple(step for step in self.steps if step.action == "by hand")

    def as_dict(self) -> dict[str, Any]:
        """Return plain values, for JSON and XCom."""
        return {
            "changes": [step.as_dict() for step in self.changes],
            "by_hand": [step.as_dict() for step in self.by_hand],
            "unchanged": [f"{step.kind} {step.name}" for step in self.steps if step.action == "unchanged"],
            "notices": list(self.notices),
        }

    def text(self) -> str:
        """Return the plan as lines of text."""
        lines: list[str] = []
        for step in self.steps:
            lines.append(f"{step.action:10} {step.kind} {step.name}")
            lines += [f"{'':10}   {change}" for change in step.changes]
        return "\n".join([*lines, *(f"notice     {notice}" for notice in self.notices)])


def lines_of_change(found: set[str], wanted: set[str]) -> tuple[str, ...]:
    """Return lines for additions (``+``) and removals (``-``)."""
    return tuple([f"+ {one}" for one in sorted(wanted - found)] + [f"- {one}" for one in sorted(found - wanted)])
