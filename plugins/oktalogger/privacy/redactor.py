"""Redacts an event before it becomes a document, so that no index, log, alert or XCom can hold what was taken out."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import msgspec

from oktalogger.privacy.places import DEVICE, DEVICES, KNOWN, NOBODY, NOT_PEOPLE, PERSON, PERSONAL, URLS
from oktalogger.privacy.replacements import SHORTEST_KEY, RedactionKeyError, Replacements, parse_address
from oktalogger.privacy.texts import Texts

if TYPE_CHECKING:
    from collections.abc import Mapping

    from oktalogger.privacy.places import DataClass
    from oktalogger.privacy.policy import Action, Policy

log = logging.getLogger(__name__)

_decode = msgspec.json.Decoder().decode
# Of what was done, a document lists so much.
_MOST_LISTED: Final = 100


@dataclass(frozen=True, slots=True)
class Redacted:
    """An event without what the policy takes out.

    :param event: its JSON
    :param done: what was done: ``field=action`` for fields, ``field=text`` where something inside a text was replaced
    """

    event: bytes
    done: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Leaf:
    path: str
    action: Action
    data: DataClass | None = None


# The fields that are known, by key: objects, leaves, and None where everything stays. Under the empty key stands what
# happens to all further keys.
_Tree: TypeAlias = dict[str, "_Leaf | _Tree | None"]
_REST: Final = ""
_UNKNOWN: Final = _Leaf("", "keep")


class Redactor:
    """Redacts events by a policy. Safe for several threads.

    :param policy: what happens to what
    :param key: key of the hashes
    :raises RedactionKeyError: if the policy hashes, and the key is missing or too short
    """

    def __init__(self, policy: Policy, key: str | None = None) -> None:
        if policy.needs_key and len(key or "") < SHORTEST_KEY:
            raise RedactionKeyError(
                "OKTALOGGER_REDACT hashes, which takes a key: put at least "
                f"{SHORTEST_KEY} characters that nobody can guess into the extra `redaction_key` of the connection to "
                "Okta (on the command line: OKTALOGGER_REDACTION_KEY). It must be the same for all loads."
            )
        self.policy = policy
        self._replacements = Replacements(key)
        self._texts = Texts(policy, self._replacements)
        self._free = policy.of("free_text")
        self._people = self._tree(PERSON)
        self._devices = self._tree(DEVICE)
        self._others = self._tree({})

    def redact(self, raw: bytes) -> Redacted:
        """Redact an event.

        :param raw: its JSON as Okta sent it
        :return: what is left; of an event that cannot be read or redacted, its length and a hash
        """
        try:
            event = _decode(raw)
        except (msgspec.DecodeError, UnicodeError, RecursionError):
            event = None
        if type(event) is not dict:
            return Redacted(self._replacements.unreadable(raw))
        known: dict[str, str | None] = {}
        done: dict[str, None] = {}
        try:
            self._walk(event, self._others, known, done)
            encoded = self._texts.replace_in(event, known, done)
        except (
            Exception
        ) as error:  # a mistake of ours: it costs this event its place, and not the window all that follow
            # Not its message, which may quote the event.
            log.error(
                "oktalogger could not redact an event (%s), and keeps its hash only. Report that.", type(error).__name__
            )
            return Redacted(self._replacements.unreadable(raw))
        return Redacted(encoded, tuple(done)[:_MOST_LISTED])

    def _tree(self, person: Mapping[str, DataClass]) -> _Tree:
        """Return the tree of all known fields, where actors and targets are of one kind."""
        tree: _Tree = {}
        personal = {**PERSONAL, **{f"{who}.{key}": data for who in ("actor", "target") for key, data in person.items()}}
        for path in (*KNOWN, *(f"{who}.id" for who in ("actor", "target"))):
            self._plant(tree, path, personal.get(path))
        for path in self.policy.fields:
            self._plant(tree, path, personal.get(path))
        self._close(tree, "")
        return tree

    def _stays(self, leaf: _Leaf) -> bool:
        return leaf.action == "keep" and (self._free == "keep" or leaf.path not in URLS)

    def _plant(self, tree: _Tree, path: str, data: DataClass | None) -> None:
        holder = tree
        *above, last = path.split(".")
        for key in above:
            inner = holder.setdefault(key, {})
            if not isinstance(inner, dict):  # something above it was named, and all below goes with that
                return
            holder = inner
        if last == "*":
            holder[_REST] = None
        else:
            holder[last] = _Leaf(path, self.policy.at(path, data), data)

    def _close(self, tree: _Tree, path: str) -> None:
        """Say what happens to the keys that are not known, and leave out what stays."""
        for key, inner in list(tree.items()):
            if isinstance(inner, dict):
                self._close(inner, f"{path}{key}.")
                # The kinds of actors and targets differ, so that these two are looked at in any case.
                if path + key not in ("actor", "target") and all(one is None for one in inner.values()):
                    tree[key] = None
            elif inner is not None and self._stays(inner):
                tree[key] = None
        tree.setdefault(_REST, None if self._free == "keep" else _Leaf(path, self._free, "free_text"))

    def _walk(self, holder: dict[str, Any], tree: _Tree, known: dict[str, str | None], done: dict[str, None]) -> None:
        for key in list(holder):
            value = holder[key]
            if value is None:
                continue
            inner = tree.get(key, _UNKNOWN) if key else _UNKNOWN
            if inner is None:
                continue
            if inner is _UNKNOWN:
                self._rest(holder, key, tree[_REST], known, done)
            elif isinstance(inner, _Leaf):
                self._leaf(holder, key, inner, known, done)
            elif key in ("actor", "target") and tree is self._others:
                for one in value if type(value) is list else [value]:
                    if type(one) is dict:
                        below = self._kind(one)[key]
                        self._walk(one, below, known, done)  # type: ignore[arg-type]
            elif type(value) is dict:
                self._walk(value, inner, known, done)
            elif type(value) is list and all(type(one) is dict for one in value):
                for one in value:
                    self._walk(one, inner, known, done)
            else:  # of another type than Okta documents: nobody knows what it says
                self._rest(holder, key, tree[_REST], known, done)

    def _kind(self, one: dict[str, Any]) -> _Tree:
        kind = one.get("type")
        if type(kind) is not str:
            return self._people
        if kind in DEVICES:
            return self._devices
        return self._others if kind in NOT_PEOPLE else self._people

    def _rest(
        self,
        holder: dict[str, Any],
        key: str,
        rest: _Leaf | _Tree | None,
        known: dict[str, str | None],
        done: dict[str, None],
    ) -> None:
        if isinstance(rest, _Leaf):
            self._leaf(holder, key, _Leaf(rest.path + key, rest.action, rest.data), known, done)

    def _leaf(
        self, holder: dict[str, Any], key: str, leaf: _Leaf, known: dict[str, str | None], done: dict[str, None]
    ) -> None:
        value = holder[key]
        if leaf.action == "keep":
            if leaf.path in URLS and self._free != "keep" and type(value) is str and "?" in value:
                holder[key] = value.partition("?")[0]
                done[f"{leaf.path}=text"] = None
            return
        if (
            (type(value) is bool and leaf.data == "free_text")
            or value == ""
            or (type(value) is str and value.lower() in NOBODY)
        ):
            return
        done[f"{leaf.path}={leaf.action}"] = None
        if type(value) is list and all(type(one) is str for one in value):
            made = [self._replaced(one, leaf, known) for one in value]
            new: Any = [one for one in made if one is not None]
        else:
            new = self._replaced(value, leaf, known)
        if new is None:
            del holder[key]
        else:
            holder[key] = new

    def _replaced(self, value: Any, leaf: _Leaf, known: dict[str, str | None]) -> str | None:
        """Return what stands for a value, and remember it where it may stand in other texts as well."""
        if type(value) is not str:
            return self._replacements.hashed(str(value)) if leaf.action == "hash" and type(value) is int else None
        data, action = leaf.data, leaf.action
        if data in ("names", "mail") and parse_address(value) is not None:  # ThreatInsight's actor is an address
            data, action = "addresses", self.policy.of("addresses")
        new = self._replacements.of(value, data, action)
        if data != "free_text" and new != value:
            known[value] = new
        return new


def make_redactor(policy: Policy, key: str | None) -> Redactor | None:
    """Return the redactor of a policy, None where it redacts nothing.

    :param policy: what happens to what
    :param key: key of the hashes
    :raises RedactionKeyError: as by :class:`Redactor`
    """
    return Redactor(policy, key) if policy.redacts else None
