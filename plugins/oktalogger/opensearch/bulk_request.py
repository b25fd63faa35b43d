"""Makes the bodies of bulk requests: lines of JSON, in batches of a bounded size."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from oktalogger.opensearch.documents import BulkAction, Document

_LONGEST_ID_BYTES: Final = 512
# A conflict of an update that names no revision costs no request: the server reads the document again and changes it.
_HEADS: Final[Mapping[BulkAction, bytes]] = {
    "create": b'{"create":{"_id":%b}}',
    "index": b'{"index":{"_id":%b}}',
    "update": b'{"update":{"_id":%b,"retry_on_conflict":3}}',
}
_CONDITIONAL_HEAD: Final = b'{"update":{"_id":%b,"if_seq_no":%d,"if_primary_term":%d}}'

_LONGEST_HEAD_BYTES: Final[Mapping[BulkAction, int]] = {"create": 32, "index": 32, "update": 100}


def batches(documents: Sequence[Document], max_body_bytes: int) -> Iterator[list[Document]]:
    """Cut documents into the bodies of requests.

    :param max_body_bytes: the largest body; a document larger than that goes alone
    """
    batch: list[Document] = []
    size = 0
    for document in documents:
        length = len(document.source) + len(document.id) + _LONGEST_HEAD_BYTES[document.action]
        if batch and size + length > max_body_bytes:
            yield batch
            batch, size = [], 0
        batch.append(document)
        size += length
    if batch:
        yield batch


def body_of(documents: Sequence[Document]) -> bytes:
    """Return the body of one request: a line that says what to do with a document, and a line with its JSON, each."""
    lines: list[bytes] = []
    for document in documents:
        source = document.source
        # Valid JSON has newlines between tokens only, where a space is the same; here they would end the document.
        if b"\n" in source:
            source = source.replace(b"\n", b" ")
        identity = msgspec.json.encode(document.id)
        read = document.read
        if read is None:
            lines += (_HEADS[document.action] % identity, source)
        else:
            lines += (_CONDITIONAL_HEAD % (identity, read.seq_no, read.primary_term), source)
    lines.append(b"")
    return b"\n".join(lines)


def unusable(document: Document) -> str | None:
    """Say what would make OpenSearch refuse the whole body because of one document, None if nothing would."""
    length = len(document.id) if document.id.isascii() else len(document.id.encode())
    if not 0 < length <= _LONGEST_ID_BYTES:
        return f"the id has {length} bytes; OpenSearch takes 1 to {_LONGEST_ID_BYTES}"
    return None
