"""Takes one person out of everything that is stored: documents, rejected events, matches and alerts.

The events stay, without the person: who reads them sees that somebody did something. So counts, the ledger and the
events of all others stay right, and no later load stores the event again, because its id is there.
"""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Final

import msgspec

from oktalogger.pipeline.added_fields import STAMPED
from oktalogger.pipeline.drift import restored
from oktalogger.pipeline.lift import lift
from oktalogger.pipeline.shown import shown
from oktalogger.privacy.places import NOBODY
from oktalogger.privacy.policy import Policy, read_policy
from oktalogger.privacy.redactor import Redactor
from oktalogger.privacy.replacements import Replacements
from oktalogger.privacy.texts import Texts
from oktalogger.window import format_instant

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

ERASED: Final = "erased"
"""Stands for everything that named the person."""

# Of what the person did, all that could tell who it was; names and logins are those of others as well, and stay.
_OF_THE_ACTOR: Final = read_policy("addresses=drop,user_agents=drop,locations=drop,device_ids=drop,free_text=drop")
_STAMPED: Final = frozenset(field.path for field in STAMPED)
_SHORTEST: Final = 3


@dataclass(frozen=True, slots=True)
class Person:
    """What a person is known by.

    :param id: Okta's id
    :param logins: their logins and mail addresses
    :param names: their names; other people may have the same, so that a name alone finds nobody
    """

    id: str
    logins: tuple[str, ...] = ()
    names: tuple[str, ...] = ()

    @property
    def marks(self) -> re.Pattern[str]:
        """What finds a document that names the person, in its JSON."""
        forms = {
            form
            for value in (self.id, *self.logins)
            for form in (value, json.dumps(value)[1:-1], value.replace("@", "%40"))
        }
        return re.compile("|".join(map(re.escape, sorted(forms, key=len, reverse=True))), re.IGNORECASE)

    def is_named_in(self, value: Any) -> bool:
        """Return whether a document, or a part of one, names the person."""
        return self.marks.search(msgspec.json.encode(value).decode()) is not None


@dataclass
class Erasure:
    """What was found of a person, and what was changed.

    :param person: whom it is about
    :param found: how many documents name the person, by index
    :param before: how many documents an index held, by index; only of those that were rebuilt
    :param after: how many it holds now
    :param left: how many documents still name the person, by index: loads stored them meanwhile
    :param alerts: how many alerts name the person; they are deleted
    :param unseen: what could not be looked at, in sentences
    :param dry_run: whether anything was changed
    """

    person: Person
    found: dict[str, int] = field(default_factory=dict)
    before: dict[str, int] = field(default_factory=dict)
    after: dict[str, int] = field(default_factory=dict)
    left: dict[str, int] = field(default_factory=dict)
    alerts: int = 0
    unseen: list[str] = field(default_factory=list)
    dry_run: bool = True

    def as_dict(self) -> dict[str, Any]:
        """Return it as plain JSON values, without the person's logins and names: it may be kept as proof."""
        return {
            **asdict(self),
            "person": {"id": self.person.id, "logins": len(self.person.logins), "names": len(self.person.names)},
        }


def known_of(id: str, sources: Iterable[Mapping[str, Any]], more: Iterable[str] = ()) -> Person:
    """Learn a person's logins and names from documents.

    :param id: Okta's id of the person
    :param sources: documents, of which those that name the person by that id count
    :param more: further logins, as the caller knows them
    """
    logins = dict.fromkeys(more)
    names: dict[str, None] = {}
    for source in sources:
        for one in _objects(source):
            if one.get("id") == id:
                for key, known in (("alternateId", logins), ("login", logins), ("displayName", names)):
                    value = one.get(key)
                    if type(value) is str and len(value) >= _SHORTEST and value.lower() not in {*NOBODY, ERASED}:
                        known[value] = None
    return Person(id, tuple(logins), tuple(names))


def without(person: Person, source: Mapping[str, Any], now: datetime) -> bytes:
    """Return the document of an event without a person.

    :param person: whom to take out
    :param source: the document; not changed
    :param now: the present
    """
    event = restored(json.loads(json.dumps(source)))
    if _is_person(event.get("actor"), person):
        event = json.loads(Redactor(_OF_THE_ACTOR).redact(msgspec.json.encode(event)).event)
    _blank(event, person)
    _replace_in(event, person)
    own = {name: value for name, value in source["oktalogger"].items() if name in _STAMPED}
    _replace_in(own, person)
    own |= lift(event)
    own[ERASED] = format_instant(now)
    if copies := shown(event, own):
        own["shown"] = copies
    if unmapped := source["oktalogger"].get("unmapped"):
        own["unmapped"] = _taken_out(event, unmapped)
    return msgspec.json.encode({**event, "oktalogger": own})


def without_event(person: Person, source: Mapping[str, Any], now: datetime) -> bytes:
    """Return a rejected event that names a person without the event itself: it cannot be read, or not be trusted.

    :param person: whom to take out
    :param source: the document of the rejected event; not changed
    :param now: the present
    """
    kept = {name: value for name, value in source.items() if name not in ("event", "event_base64")}
    _replace_in(kept, person)
    return msgspec.json.encode({**kept, "event": "", ERASED: format_instant(now)})


def without_texts(person: Person, source: Mapping[str, Any]) -> dict[str, Any]:
    """Return a match, or an entry of the ledger, in whose texts the person is replaced.

    :param person: whom to take out
    :param source: the document; not changed
    """
    copy: dict[str, Any] = json.loads(json.dumps(source))
    _replace_in(copy, person)
    return copy


def is_erased(source: Mapping[str, Any]) -> bool:
    """Return whether a person was taken out of a document."""
    own = source.get("oktalogger")
    return isinstance(own, dict) and ERASED in own


def _objects(value: Any) -> Iterable[dict[str, Any]]:
    if type(value) is dict:
        yield value
        for inner in value.values():
            yield from _objects(inner)
    elif type(value) is list:
        for inner in value:
            yield from _objects(inner)


def _is_person(value: Any, person: Person) -> bool:
    if type(value) is not dict:
        return False
    login = value.get("alternateId")
    logins = {one.lower() for one in person.logins}
    return value.get("id") == person.id or (type(login) is str and login.lower() in logins)


def _blank(event: dict[str, Any], person: Person) -> None:
    """Empty every object that is the person."""
    for one in list(_objects(event)):
        if _is_person(one, person):
            for key in list(one):
                if key in ("id", "alternateId", "displayName", "login"):
                    one[key] = ERASED
                elif key != "type":
                    del one[key]


def _replace_in(value: dict[str, Any], person: Person) -> None:
    known: dict[str, str | None] = dict.fromkeys((person.id, *person.logins, *person.names), ERASED)
    replaced = Texts(Policy(), Replacements(None)).replace_in(value, known, {})
    value.clear()
    value.update(msgspec.json.decode(replaced))


def _taken_out(event: dict[str, Any], unmapped: Any) -> Any:
    """Take the parts that do not fit the mapping out of an event again, and return them as they are kept."""
    kept = []
    for part in unmapped:
        *above, last = (key.replace("~1", "/").replace("~0", "~") for key in part["path"].split("/")[1:])
        holder: Any = event
        try:
            for key in above:
                holder = holder[int(key)] if type(holder) is list else holder[key]
            at = int(last) if type(holder) is list else last
            value = holder[at]
            if type(holder) is list:
                holder[at] = None
            else:
                del holder[at]
        except (LookupError, TypeError, ValueError):
            continue  # it was taken out with the person
        kept.append({**part, "text": msgspec.json.encode(value).decode()})
    return kept
