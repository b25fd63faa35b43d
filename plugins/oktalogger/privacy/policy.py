"""Reads the setting that says what to redact, and how: classes of personal data, and single fields."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal, get_args

from oktalogger.privacy.places import ALWAYS_KEPT, CLASSES, KNOWN, DataClass

if TYPE_CHECKING:
    from collections.abc import Mapping

Action = Literal["keep", "drop", "hash", "network"]
ACTIONS: Final[tuple[Action, ...]] = get_args(Action)
ALL: Final = "all"

_TOP_LEVEL: Final = {path.partition(".")[0] for path in KNOWN}
_TAKES: Final = (
    "a list like names=hash,addresses=network,debugContext.debugData.url=drop: classes "
    f"({', '.join(CLASSES)}, or {ALL}) and fields of events, each with {', '.join(ACTIONS)}"
)


@dataclass(frozen=True, slots=True)
class Policy:
    """What happens to each class of personal data, and to single fields.

    :param classes: the action for each class that is not kept
    :param fields: the action for each field that is named by itself, in Okta's words without positions in arrays; it
        counts before that of the field's class
    """

    classes: Mapping[DataClass, Action] = field(default_factory=dict)
    fields: Mapping[str, Action] = field(default_factory=dict)

    @property
    def redacts(self) -> bool:
        """Whether anything is to be redacted."""
        return any(action != "keep" for action in (*self.classes.values(), *self.fields.values()))

    @property
    def needs_key(self) -> bool:
        """Whether something is to be hashed, which takes a key."""
        return "hash" in (*self.classes.values(), *self.fields.values())

    def of(self, data: DataClass) -> Action:
        """Return what happens to a class."""
        return self.classes.get(data, "keep")

    def at(self, path: str, data: DataClass | None) -> Action:
        """Return what happens to a field.

        :param path: its name
        :param data: its class, None for a field that belongs to none
        """
        return self.fields.get(path) or ("keep" if data is None else self.of(data))

    def __str__(self) -> str:
        """Write the policy as the setting has it."""
        return ",".join(f"{name}={action}" for name, action in (*self.classes.items(), *self.fields.items()))


def read_policy(text: str) -> Policy:
    """Read the setting.

    :param text: classes and fields with their actions; what comes later counts
    :raises ValueError: if it is something else; the message says what is taken
    """
    classes: dict[DataClass, Action] = {}
    fields: dict[str, Action] = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        name, separator, word = (piece.strip() for piece in part.partition("="))
        action = next((action for action in ACTIONS if action == word), None)
        if not separator or action is None:
            raise ValueError(f"{_TAKES}; {part!r} is not so")
        named = [one for one in CLASSES if name in (one, ALL)]
        if not named and not re.fullmatch(r"[A-Za-z]\w*(\.[\w \-]+)*", name):
            raise ValueError(f"{_TAKES}; {name!r} is neither")
        if not named and "." not in name and name not in _TOP_LEVEL:
            raise ValueError(f"{_TAKES}; {name!r} is neither: fields are named in full, such as actor.displayName")
        if name in ALWAYS_KEPT:
            raise ValueError(f"{_TAKES}; {name} cannot be redacted, because events are stored and found by it")
        if action == "network" and named and named != ["addresses"]:
            raise ValueError(f"{_TAKES}; network is for addresses alone, not for {name}")
        for one in named:
            classes[one] = action
        if not named:
            fields[name] = action
    return Policy(
        {name: action for name, action in classes.items() if action != "keep"},
        fields,
    )
