"""Finds what Sigma or YAML lets pass and no engine matches as it was meant, with its line.

Sigma ignores keys that it does not know, and YAML 1.1 turns ``NO`` into false and ``01234`` into 668. Neither says a
word, and the rule never fires, or counts too much.
"""

from __future__ import annotations

import difflib
import fnmatch
import re
import unicodedata
from typing import TYPE_CHECKING, Any, Final

from oktalogger.detections.rules.problems import Problem
from oktalogger.detections.rules.yaml_source import child, pairs, scalars

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    import yaml

    from oktalogger.detections.rules.yaml_source import YamlDocument

_RULE_KEYS: Final = (
    "title", "id", "name", "related", "taxonomy", "status", "description", "license", "author", "references", "date",
    "modified", "logsource", "detection", "correlation", "fields", "falsepositives", "level", "tags", "scope",
    "oktalogger",
)  # fmt: skip
_KEYS_BELOW: Final[dict[tuple[str, ...], tuple[str, ...]]] = {
    ("logsource",): ("product", "service", "category", "definition"),
    ("correlation",): ("type", "rules", "group-by", "timespan", "condition", "aliases", "generate"),
    ("correlation", "condition"): ("gt", "gte", "lt", "lte", "eq", "neq", "field", "percentile"),
}
_LIST: Final = re.compile(r"%([A-Za-z_][A-Za-z0-9_]*)%")
# Characters that look like a blank, or like nothing, and are neither to an engine.
_UNSEEN: Final = re.compile("[\u00a0\u1680\u2000-\u200f\u2028-\u202f\u205f\u2060\u3000\ufeff]")
# A quote that opens or closes nothing, behind a blank or at an end.
_LONE_QUOTE: Final = re.compile(r"""(?:^|\s)(['"])(?!.*\1)|^[^'"]*(['"])$""")
# Quoted or a block: a text, whatever it looks like.
_QUOTED: Final = ("'", '"', "|", ">")
_NOT_SELECTIONS: Final = ("condition", "timeframe")


def strict_problems(document: YamlDocument, lists: Collection[str]) -> Iterator[Problem]:
    """Say what in a rule does not mean what it seems to mean.

    :param document: the rule
    :param lists: the names of the lists in variables.yml
    """
    yield from _unknown_keys(document)
    detection = document.data.get("detection")
    found = child(document.node, "detection")
    if found is None or not isinstance(detection, dict):
        return
    if "timeframe" in detection:
        message = "`timeframe` has no effect: no engine counts by it; count the rule in a correlation with a `timespan`"
        yield document.problem(message, "detection", "timeframe")
    yield from _unused(document, detection)
    yield from _expansions(document, found[1], lists)
    yield from _unseen(document, found[1])
    yield from _misread(document, found[1])
    yield from lossy_values(document.file, found[1])
    tests = child(document.node, "oktalogger")
    if tests is not None and (cases := child(tests[1], "tests")) is not None:
        yield from lossy_values(document.file, cases[1], with_times=False)


def lossy_values(file: str, node: yaml.Node, *, with_times: bool = True) -> Iterator[Problem]:
    """Find values that YAML 1.1 reads as something else than what is written there.

    :param file: what problems call the file
    :param node: where to look
    :param with_times: whether a date or a time is such a value
    """
    import yaml

    read = yaml.SafeLoader("").construct_object
    for scalar in _all_scalars(node):
        kind = scalar.tag.rpartition(":")[2]
        if scalar.style in _QUOTED or kind not in ("bool", "int", "float", *(("timestamp",) if with_times else ())):
            continue
        try:
            value = read(scalar)
        except ValueError:
            continue
        text = str(value).lower()
        if text != scalar.value.lower():
            message = f"YAML reads {scalar.value} as {text}; put it in quotes if it is a text, or write {text}"
            yield Problem(file, scalar.start_mark.line + 1, message)


def _unknown_keys(document: YamlDocument) -> Iterator[Problem]:
    for key in document.data:
        if str(key) not in _RULE_KEYS:
            near = difflib.get_close_matches(str(key).lower(), _RULE_KEYS, n=1, cutoff=0.8)
            # Sigma lets rules carry keys of their makers', so a completely different name is not an error.
            message = f"`{key}` is not a key of a rule" + (
                f"; did you mean `{near[0]}`?" if near else ", and has no effect here"
            )
            yield document.problem(message, str(key), is_warning=not near)
    for path, known in _KEYS_BELOW.items():
        part: Any = document.data
        for step in path:
            part = part.get(step) if isinstance(part, dict) else None
        for key in part if isinstance(part, dict) else ():
            if str(key) not in known:
                message = f"`{'.'.join(path)}` has no key `{key}`; it takes {', '.join(known)}"
                yield document.problem(message, *path, str(key))


def _unused(document: YamlDocument, detection: Mapping[str, Any]) -> Iterator[Problem]:
    given = detection.get("condition")
    conditions = given if isinstance(given, list) else [given]
    words = {word for condition in conditions for word in re.findall(r"[\w*-]+", str(condition))}
    for name in map(str, detection):
        if name in _NOT_SELECTIONS or ("them" in words and not name.startswith("_")):
            continue
        if not any(fnmatch.fnmatchcase(name, word) for word in words):
            message = f"the condition never uses the selection `{name}`; name it there, or remove it"
            yield document.problem(message, "detection", name, is_warning=True)


def _expansions(document: YamlDocument, node: yaml.Node, lists: Collection[str]) -> Iterator[Problem]:
    for key, held in pairs(node):
        field, *modifiers = str(key.value).split("|")
        values = list(scalars(held))
        if "expand" in modifiers:
            for scalar in values:
                if not _LIST.search(scalar.value):
                    message = f"`{key.value}` fills in a list, and {scalar.value!r} names none; write %name%"
                    yield Problem(document.file, scalar.start_mark.line + 1, message)
            continue
        if "re" in modifiers:
            continue
        for scalar in values:
            found = _LIST.search(scalar.value)
            if found and (found[0] == scalar.value or found[1] in lists):
                message = f"{found[0]} is looked for as it stands; to fill in the list, write `{field}|expand`"
                yield Problem(document.file, scalar.start_mark.line + 1, message)


def _unseen(document: YamlDocument, node: yaml.Node) -> Iterator[Problem]:
    condition = child(node, "condition")
    texts = [key for key, _ in pairs(node)] + (list(scalars(condition[1])) if condition else [])
    for scalar in texts:
        if found := _UNSEEN.search(str(scalar.value)):
            message = f"{str(scalar.value)!r} holds a {character_name(found[0])}; write a blank, or remove it"
            yield Problem(document.file, scalar.start_mark.line + 1, message)


def _misread(document: YamlDocument, node: yaml.Node) -> Iterator[Problem]:
    """Find values without quotes that hold more than is meant: a lone quote, or the line below."""
    for scalar in _all_scalars(node):
        if scalar.style in _QUOTED:
            continue
        message = None
        if scalar.start_mark.line != scalar.end_mark.line:
            message = f"{scalar.value!r} goes on in the line below, whose indentation makes it a part of the value"
        elif _LONE_QUOTE.search(str(scalar.value)):
            message = f"{scalar.value!r} has a quote without its pair, which is a part of the value; quote all of it"
        if message is not None:
            yield Problem(document.file, scalar.start_mark.line + 1, message, is_warning=True)


def _all_scalars(node: yaml.Node) -> Iterator[yaml.ScalarNode]:
    yield from scalars(node)
    for _, held in pairs(node):
        yield from scalars(held)


def character_name(character: str) -> str:
    """Name a character that nobody sees, like ``NO-BREAK SPACE (U+00A0)``."""
    names = {"\t": "TAB", "\n": "LINE FEED", "\r": "CARRIAGE RETURN"}
    return f"{names.get(character) or unicodedata.name(character, 'character')} (U+{ord(character):04X})"
