"""Takes out of an event the parts whose JSON type the mapping does not take, so that the rest is stored and found.

Okta adds and changes fields without notice. One of them with another type than the mapping's makes OpenSearch refuse
the whole event; without that part the event is searched as ever, and the part is kept beside it as JSON text.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

Path: TypeAlias = tuple[str | int, ...]
"""Where a part stands in an event: keys of objects, positions in arrays."""

# Without these an event has no place: where one of them does not fit, the event is rejected.
_INDISPENSABLE: Final = {"uuid", "published"}
_BOOLEANS: Final = ("true", "false", "")
_NAMED_FIELD = re.compile(r"\[([^\[\]\s]+)\]")
_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode
_decode_object = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_decode_array = msgspec.json.Decoder(list[msgspec.Raw]).decode


@dataclass(frozen=True, slots=True)
class Part:
    """A part of an event that was taken out.

    :param path: where it stood, as a JSON pointer (RFC 6901)
    :param field: the name of its field, without positions in arrays
    :param text: its JSON, as Okta sent it
    """

    path: str
    field: str
    text: str


@dataclass(frozen=True, slots=True)
class Fitted:
    """An event without the parts that do not fit.

    :param event: what is left of its JSON; an element of an array that was taken out left null behind
    :param parts: what was taken out
    """

    event: bytes
    parts: tuple[Part, ...]

    @property
    def fields(self) -> list[str]:
        """The names of the fields that something was taken out of, in alphabetical order."""
        return sorted({part.field for part in self.parts})


def fit(raw: bytes, properties: Mapping[str, Any], reason: str) -> Fitted | None:
    """Take out of an event what a mapping does not take.

    :param raw: the event's JSON
    :param properties: ``properties`` of the mapping
    :param reason: why OpenSearch refused the event: a field that it names is taken out as well
    :return: None if everything fits, so that the refusal has another cause, or if it cannot be told
    """
    try:
        event = json.loads(raw, object_pairs_hook=_each_once)
        paths = set(_misfits(event, {"properties": properties}, ()))
        for field in _NAMED_FIELD.findall(reason):
            if _is_mapped(field, properties):
                paths |= set(_found(event, field.split("."), ()))
        paths = {path for path in paths if path[0] not in _INDISPENSABLE}
        if not paths:
            return None
        parts: list[Part] = []
        return Fitted(_without(raw, _outermost(paths), (), parts), tuple(parts))
    except (ValueError, RecursionError):  # those of msgspec and of decoding text are ValueErrors
        return None


def _each_once(members: list[tuple[str, Any]]) -> dict[str, Any]:
    """Make an object of its members; one that stands there twice would be lost with the part that is taken out."""
    found = dict(members)
    if len(found) < len(members):
        raise ValueError("a field stands there twice")
    return found


def restored(source: dict[str, Any]) -> dict[str, Any]:
    """Return the event of a document as Okta sent it: without ``oktalogger``, with the parts that it keeps as text.

    :param source: the document; not changed
    """
    event = {name: value for name, value in source.items() if name != "oktalogger"}
    for part in source.get("oktalogger", {}).get("unmapped", ()):
        *above, last = (key.replace("~1", "/").replace("~0", "~") for key in part["path"].split("/")[1:])
        event = _put(event, above, last, _decode(part["text"]))
    return event


def _put(holder: Any, above: list[str], last: str, value: Any) -> Any:
    """Return a copy of a value with another one put back into it."""
    key = (above[0] if above else last) if isinstance(holder, dict) else int(above[0] if above else last)
    copy = holder.copy()
    copy[key] = _put(holder[key], above[1:], last, value) if above else value
    return copy


def _misfits(value: Any, mapping: Mapping[str, Any], path: Path) -> Iterator[Path]:
    if value is None:
        return
    if isinstance(value, list):
        for position, element in enumerate(value):
            yield from _misfits(element, mapping, (*path, position))
    elif "properties" not in mapping:
        if not _takes(mapping["type"], value):
            yield path
    elif not isinstance(value, dict):
        yield path
    else:
        for key, inner in value.items():
            names = key.split(".")
            if not all(name.strip() for name in names):
                yield (*path, key)
                continue
            below, is_object = _below(mapping, names)
            if below is not None:
                yield from _misfits(inner, below, (*path, key))
            elif not is_object:
                yield (*path, key)


def _below(mapping: Mapping[str, Any], names: list[str]) -> tuple[Mapping[str, Any] | None, bool]:
    """Return the mapping of a key, whose dots lead deeper; None without one, and whether all above it are objects."""
    for name in names:
        if "properties" not in mapping:
            return None, False
        if name not in mapping["properties"]:
            return None, True
        mapping = mapping["properties"][name]
    return mapping, True


def _takes(kind: str, value: Any) -> bool:
    """Return whether a field of a type takes a scalar or an object; numbers and addresses ignore what is malformed."""
    if kind == "geo_point":
        return True
    if isinstance(value, dict):
        return False
    return kind != "boolean" or isinstance(value, bool) or value in _BOOLEANS


def _is_mapped(field: str, properties: Mapping[str, Any]) -> bool:
    return _below({"properties": properties}, field.split("."))[0] is not None


def _found(value: Any, names: list[str], path: Path) -> Iterator[Path]:
    """Find every part of an event that stands under the name of a field."""
    if not names:
        yield path
    elif isinstance(value, list):
        for position, element in enumerate(value):
            yield from _found(element, names, (*path, position))
    elif isinstance(value, dict):
        for length in range(1, len(names) + 1):
            key = ".".join(names[:length])
            if key in value:
                yield from _found(value[key], names[length:], (*path, key))


def _outermost(paths: set[Path]) -> list[Path]:
    return [path for path in paths if not any(path[:length] in paths for length in range(1, len(path)))]


def _without(raw: bytes | msgspec.Raw, paths: Iterable[Path], above: Path, parts: list[Part]) -> bytes:
    """Return JSON without some parts of it, every other byte of a value as it is, and note these parts."""
    below: dict[str | int, list[Path]] = defaultdict(list)
    for path in paths:
        below[path[0]].append(path[1:])
    holder: Any = _decode_array(raw) if isinstance(next(iter(below)), int) else _decode_object(raw)
    for key, rest in below.items():
        if rest != [()]:
            holder[key] = msgspec.Raw(_without(holder[key], rest, (*above, key), parts))
            continue
        parts.append(_part((*above, key), holder[key]))
        if isinstance(key, int):
            holder[key] = msgspec.Raw(b"null")
        else:
            del holder[key]
    return _encode(holder)


def _part(path: Path, raw: msgspec.Raw) -> Part:
    pointer = "".join("/" + str(key).replace("~", "~0").replace("/", "~1") for key in path)
    return Part(pointer, ".".join(key for key in path if isinstance(key, str)), bytes(raw).decode())
