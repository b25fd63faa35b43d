"""Text of others, made fit for a log, a terminal and a screen."""

from __future__ import annotations

import re
from typing import Final

# Everything that moves a cursor, colours a terminal or hides what follows, but for tab and line feed: C0, DEL, C1, and
# the marks that turn the direction of writing.
_CONTROL: Final = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def printable(text: str) -> str:
    """Write control characters as Python writes them, so that a server's words cannot steer a terminal.

    :param text: what a server said, or a sentence with that in it
    """
    return _CONTROL.sub(lambda found: ascii(found[0])[1:-1], text)
