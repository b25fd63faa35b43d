"""Splits a page into its events without reading these, for a page that no JSON parser takes as a whole.

Half a surrogate pair, nesting a thousand levels deep, or a bare NUL byte in one event makes a parser refuse the whole
page, in which all other events are good. Strings and brackets alone say where each event ends.
"""

from __future__ import annotations

import re

_WHITESPACE = b" \t\r\n"
# A string, whose closing quote is missing where the page is cut off, or a character that gives the page its structure.
_TOKEN = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+("?)|[\[\]{},]', re.DOTALL)
_CLOSES = {ord("]"): ord("["), ord("}"): ord("{")}
_COMMA, _QUOTE, _ARRAY = ord(","), ord('"'), ord("[")


def split_array(body: bytes) -> list[bytes] | None:
    """Return each item of a JSON array byte for byte, whatever the items are, or None if it is not a whole array.

    Takes time and memory in proportion to the body, however deep that is nested.
    """
    items: list[bytes] = []
    opened = bytearray()
    start = -1
    for match in _TOKEN.finditer(body):
        token = body[match.start()]
        if not opened and (token != _ARRAY or body[: match.start()].strip(_WHITESPACE)):
            return None
        if token == _QUOTE:
            if not match[1]:
                return None
        elif token == _COMMA:
            if len(opened) == 1:
                items.append(body[start : match.start()].strip(_WHITESPACE))
                start = match.end()
        elif token not in _CLOSES:
            opened.append(token)
            if len(opened) == 1:
                start = match.end()
        elif opened.pop() != _CLOSES[token]:
            return None
        elif not opened:
            items.append(body[start : match.start()].strip(_WHITESPACE))
            rest = body[match.end() :].strip(_WHITESPACE)
            return _checked(items) if not rest else None
    return None


def _checked(items: list[bytes]) -> list[bytes] | None:
    if items == [b""]:
        return []
    return items if all(items) else None
