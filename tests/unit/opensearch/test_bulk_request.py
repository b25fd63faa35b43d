"""How documents are cut into bodies, to the byte, and which ids a body can hold."""

from __future__ import annotations

import pytest

from oktalogger.opensearch.bulk_request import batches, body_of, unusable
from oktalogger.opensearch.documents import BulkAction, Document

# What a document of ten bytes with an id of two counts as: with its head, at its longest.
LENGTH: dict[BulkAction, int] = {"create": 44, "index": 44, "update": 112}


def documents(count: int, action: BulkAction = "create") -> list[Document]:
    return [Document(f"{number:02}", "i", b'{"a":1234}', action) for number in range(count)]


def sizes(count: int, bound: int, action: BulkAction = "create") -> list[int]:
    return [len(batch) for batch in batches(documents(count, action), bound)]


@pytest.mark.parametrize("action", ["create", "index", "update"])
def test_a_body_is_filled_to_its_bound_and_not_beyond(action: BulkAction) -> None:
    bound = 2 * LENGTH[action]
    assert sizes(5, bound, action) == [2, 2, 1]
    assert sizes(4, bound, action) == [2, 2]
    assert sizes(4, bound - 1, action) == [1, 1, 1, 1]
    for batch in batches(documents(4, action), bound):
        assert len(body_of(batch)) <= bound


def test_a_document_larger_than_the_bound_goes_alone() -> None:
    assert sizes(2, 1) == [1, 1]


def test_of_nothing_there_is_no_body() -> None:
    assert sizes(0, 100) == []


@pytest.mark.parametrize(
    ("identity", "length"),
    [("", 0), ("x" * 513, 513), ("é" * 257, 514), ("x" * 512, None), ("é" * 256, None), ("x", None)],
)
def test_an_id_has_1_to_512_bytes(identity: str, length: int | None) -> None:
    said = unusable(Document(identity, "i", b"{}"))
    assert said == (None if length is None else f"the id has {length} bytes; OpenSearch takes 1 to 512")
