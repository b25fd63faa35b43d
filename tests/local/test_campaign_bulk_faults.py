"""A bulk request of which a part is refused: what OpenSearch gets, and what the loader hears."""

from __future__ import annotations

import random
from typing import Any

import msgspec
import pytest

from local.campaign.bulk_faults import answer, part

COUNT = 9
BODY = b"".join(b'{"create":{"_id":"%d"}}\n{"n":%d}\n' % (number, number) for number in range(COUNT))
STORED = "opensearch-item-stored-503"


def numbers(body: bytes) -> list[int]:
    return [msgspec.json.decode(line)["n"] for line in body.splitlines()[1::2]]


def opensearch(body: bytes) -> bytes:
    items = [{"create": {"status": 200 + number}} for number in numbers(body)]
    return msgspec.json.encode({"items": items})


@pytest.mark.parametrize("kind", ["opensearch-item-429", "opensearch-item-503", STORED])
def test_each_answer_is_that_of_its_own_document(kind: str) -> None:
    parted = part(kind, BODY, random.Random(1))
    assert parted is not None
    assert len(parted.refused) == 3
    items: list[dict[str, Any]] = msgspec.json.decode(answer(parted, opensearch(parted.body)))["items"]
    assert len(items) == COUNT
    for number, item in enumerate(items):
        refused = number in parted.refused
        assert item["create"]["status"] == ((429 if kind.endswith("429") else 503) if refused else 200 + number)
        assert ("error" in item["create"]) == refused
    kept = [number for number in range(COUNT) if kind == STORED or number not in parted.refused]
    assert numbers(parted.body) == kept


def test_a_single_document_is_not_parted() -> None:
    assert part("opensearch-item-429", b'{"create":{"_id":"1"}}\n{"n":1}\n', random.Random(1)) is None


def test_an_error_of_opensearch_s_own_passes() -> None:
    parted = part("opensearch-item-429", BODY, random.Random(1))
    assert parted is not None
    assert answer(parted, b'{"error":{"type":"x"},"status":400}') == b'{"error":{"type":"x"},"status":400}'
