"""A reading that is not whole says so, and the server's place is left in any case."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, cast

import pytest
from opensearchpy import OpenSearch
from opensearchpy.exceptions import ConnectionError as NoConnectionError

from oktalogger.opensearch.errors import OpenSearchUnavailableError
from oktalogger.opensearch.scroll import ScrollIncompleteError, scroll

if TYPE_CHECKING:
    from collections.abc import Mapping


class Transport:
    """Answers in turn, and notes what was asked."""

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.asked: list[str] = []

    def perform_request(self, method: str, path: str, **options: Any) -> Any:
        self.asked.append(f"{method} {path.partition('?')[0]}")
        if method == "DELETE":
            return json.dumps({"succeeded": True})
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return json.dumps(answer)


def answer(*documents: int, total: int, **more: Any) -> Mapping[str, Any]:
    hits = [{"_source": {"number": number}} for number in documents]
    return {"_scroll_id": "place", "hits": {"total": {"value": total}, "hits": hits}, **more}


def read(*answers: Any) -> tuple[list[list[dict[str, Any]]], Transport]:
    client = OpenSearch("http://127.0.0.1:1")
    transport = Transport(*answers)
    client.transport = cast("Any", transport)
    pages: list[list[dict[str, Any]]] = []
    try:
        pages.extend(scroll(client, "old", size=2))
    finally:
        assert transport.asked[-1] == "DELETE /_search/scroll"
    return pages, transport


def test_all_pages_come() -> None:
    pages, transport = read(answer(1, 2, total=3), answer(3, total=3), answer(total=3))
    assert pages == [[{"number": 1}, {"number": 2}], [{"number": 3}]]
    assert transport.asked[:2] == ["POST /old/_search", "POST /_search/scroll"]


@pytest.mark.parametrize(
    ("second", "words"),
    [
        (answer(total=3), "2 of the 3 documents of old"),
        (answer(3, total=3, timed_out=True), "Some shards did not answer"),
        (answer(3, total=3, _shards={"failed": 1}), "Some shards did not answer"),
    ],
)
def test_what_is_not_whole_is_an_error(second: Any, words: str) -> None:
    with pytest.raises(ScrollIncompleteError, match=words):
        read(answer(1, 2, total=3), second)


def test_a_page_that_does_not_come_is_not_asked_for_again() -> None:
    with pytest.raises(OpenSearchUnavailableError):
        read(answer(1, 2, total=3), NoConnectionError("N/A", "gone", Exception("gone")))
