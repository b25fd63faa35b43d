"""Notes in the archive what was taken out of an event before, and reads it back: nothing may be redacted twice."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from oktalogger.privacy.redactor import Redacted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from oktalogger.pipeline.document import Redacts

_BEGINS: Final = b',"oktalogger":{"redacted":'
_UNREADABLE: Final = b'"redacted: an event that cannot be read'


def noted(event: bytes, done: Sequence[str]) -> bytes:
    """Return a redacted event with a note of what was done, as its last key.

    :param event: what is left of the event
    :param done: what was done
    """
    if not event.startswith(b"{") or not event.endswith(b"}"):
        return event
    comma = _BEGINS if event[1:-1].strip() else _BEGINS[1:]
    return b"%b%b%b}}" % (event[:-1], comma, msgspec.json.encode(list(done)))


class AsArchived:
    """Takes notes back off events that were archived redacted, and redacts those that were archived as Okta sent them.

    :param redactor: what a load takes out now; None for nothing
    """

    def __init__(self, redactor: Redacts | None) -> None:
        self._redactor = redactor

    def redact(self, raw: bytes) -> Redacted:
        """Return an event as the load that archived it stored it, and what was done."""
        head, begins, note = raw.rpartition(_BEGINS)
        if not begins:
            head, begins, note = raw.rpartition(_BEGINS[1:])
            begins = begins if head == b"{" else b""
        if begins and note.endswith(b"}}"):
            try:
                return Redacted(head + b"}", tuple(msgspec.json.decode(note[:-2], type=list[str])))
            except (msgspec.MsgspecError, UnicodeError):
                pass  # something else of Okta's that looks like a note: an event as Okta sent it
        if self._redactor is None or raw.startswith(_UNREADABLE):
            return Redacted(raw)
        return self._redactor.redact(raw)
