"""Makes the documents that keep an event that OpenSearch refused: whole, as text, with the reason."""

from __future__ import annotations

import base64
import hashlib
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import msgspec

from oktalogger.opensearch.documents import Document, Rejection

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


def rejection_documents(
    rejection: Rejection, *, index: str, context: Mapping[str, str], part_bytes: int
) -> Iterator[Document]:
    """Make the documents that keep one rejected event: one, or several parts if it is very large.

    The id is a hash of the org and of the event as Okta sent it: refusing an event again in a later run changes
    nothing, and two events are both kept, whatever they say of their own ids. Bytes that are not UTF-8 are kept a
    second time in base64, because its readable form is not exact.

    :param rejection: the event and why it was refused
    :param index: the index of rejected events
    :param context: what else to keep, as ``org``, ``window``, ``run_id``
    :param part_bytes: the largest piece of an event in one document
    """
    identity = rejection_id(context.get("org", ""), rejection.event)
    pieces = list(_pieces(rejection.event, part_bytes))
    for number, piece in enumerate(pieces, start=1):
        fields: dict[str, str | int | None] = {
            **context,
            "at": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "uuid": rejection.id,
            "published": rejection.published,
            "intended_index": rejection.index,
            "reason_type": rejection.reason_type,
            "reason": rejection.reason,
            "part": number,
            "parts": len(pieces),
        }
        try:
            fields["event"] = piece.decode()
        except UnicodeDecodeError:
            fields["event"] = piece.decode(errors="backslashreplace")
            fields["event_base64"] = base64.b64encode(piece).decode()
        yield Document(identity if number == 1 else f"{identity}-{number}", index, msgspec.json.encode(fields))


def rejection_id(org: str, event: bytes) -> str:
    """Return the id under which a rejected event is kept.

    :param org: the Okta org's host name
    :param event: the event as Okta sent it
    """
    # A host name holds no space, so that where the org ends is clear.
    return hashlib.sha256(org.encode() + b" " + event).hexdigest()


def _pieces(event: bytes, size: int) -> Iterator[bytes]:
    """Cut between characters, not within one."""
    start = 0
    while len(event) - start > size:
        end = start + size
        while end > start + size - 3 and event[end] & 0xC0 == 0x80:
            end -= 1
        yield event[start:end]
        start = end
    yield event[start:]
