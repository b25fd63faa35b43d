"""``Link`` headers (RFC 8288), as far as paging needs them.

Okta sends ``self`` and ``next`` as separate header lines; HTTP libraries and proxies join lines with a comma. A URL
inside the angle brackets may hold commas and semicolons. The target is returned as it stands: never decoded, never
encoded again.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_QUOTED = r'"(?:[^"\\]|\\.)*"'
# A target, then its parameters up to the comma that begins the next link; commas in quotes do not count.
_LINK = re.compile(rf'<([^<>]*)>((?:[^,"<]|{_QUOTED})*)')
_PARAMETER = re.compile(rf";\s*([^\s=;]+)\s*(?:=\s*({_QUOTED}|[^\s;]*))?")
_ESCAPED = re.compile(r"\\(.)")


@dataclass(frozen=True, slots=True)
class Link:
    """One link: its target exactly as sent, and its relation types in lower case."""

    target: str
    relations: frozenset[str]


def parse_links(header_values: Iterable[str]) -> Iterator[Link]:
    """Yield the links of any number of ``Link`` header values; what cannot be read as a link is passed over."""
    for value in header_values:
        for target, parameters in _LINK.findall(value):
            yield Link(target, _relations(parameters))


def next_link(header_values: Iterable[str], *, origin: str) -> str | None:
    """Return the first ``rel="next"`` target, exactly as sent, or None when there is none.

    :param header_values: each ``Link`` header line, or lines joined by commas.
    :param origin: ``scheme://host`` that a target without them (``/api/v1/logs?...``) belongs to.
    """
    for link in parse_links(header_values):
        if "next" in link.relations:
            relative = link.target.startswith("/") and not link.target.startswith("//")
            return origin + link.target if relative else link.target
    return None


def _relations(parameters: str) -> frozenset[str]:
    for name, value in _PARAMETER.findall(parameters):
        if name.lower() == "rel":  # the first one counts, RFC 8288 section 3.3
            if value.startswith('"'):
                value = _ESCAPED.sub(r"\1", value[1:-1])
            return frozenset(value.lower().split())
    return frozenset()
