"""Whose fault a refusal is: one row for each kind that OpenSearch has, and the words that a rejection keeps of it."""

from __future__ import annotations

import pytest

from oktalogger.opensearch.bulk_response import Cause, Fate, ItemOutcome, fate_of

BLOCK = "cluster_block_exception"
CONFLICT = "version_conflict_engine_exception"


@pytest.mark.parametrize(
    ("status", "kind", "reason", "fate"),
    [
        (200, None, "", Fate.CREATED),
        (201, None, "", Fate.CREATED),
        (299, None, "", Fate.CREATED),
        (300, None, "", Fate.REJECTED),
        (409, CONFLICT, "", Fate.EXISTING),
        (409, "another_exception", "", Fate.REJECTED),
        (400, CONFLICT, "", Fate.REJECTED),
        (400, "mapper_parsing_exception", "failed to parse", Fate.REJECTED),
        (401, "security_exception", "", Fate.FATAL),
        (403, "security_exception", "", Fate.FATAL),
        (404, "index_not_found_exception", "", Fate.FATAL),
        (403, BLOCK, "", Fate.AGAIN),
        (404, BLOCK, "", Fate.AGAIN),
        (400, BLOCK, "", Fate.AGAIN),
        (402, "odd_exception", "", Fate.REJECTED),
        (405, "odd_exception", "", Fate.REJECTED),
        (429, "rejected_execution_exception", "", Fate.AGAIN),
        (428, "odd_exception", "", Fate.REJECTED),
        (430, "odd_exception", "", Fate.REJECTED),
        (499, "odd_exception", "", Fate.REJECTED),
        (500, "odd_exception", "", Fate.AGAIN),
        (503, "unavailable_shards_exception", "", Fate.AGAIN),
        (400, "index_closed_exception", "", Fate.FATAL),
        (400, "illegal_argument_exception", "no write index is defined for alias [x]", Fate.FATAL),
        (400, "illegal_argument_exception", "pipeline with id [x] does not exist", Fate.FATAL),
        (400, None, "", Fate.REJECTED),
    ],
)
def test_only_what_is_wrong_with_the_document_rejects_it(
    status: int, kind: str | None, reason: str, fate: Fate
) -> None:
    outcome = ItemOutcome(status, Cause(kind, reason) if kind else None)
    assert fate_of(outcome) is fate


def test_the_reasons_of_all_causes_are_told_once_each() -> None:
    cause = Cause(
        "mapper_parsing_exception",
        "failed to parse",
        Cause("a_exception", None, Cause("b_exception", "failed to parse", Cause("c_exception", "bad date"))),
    )
    failure = ItemOutcome(400, cause).failure
    assert (failure.status, failure.error_type) == (400, "mapper_parsing_exception")
    assert failure.reason == "failed to parse: a_exception: bad date"


def test_a_refusal_without_a_word_has_none() -> None:
    failure = ItemOutcome(500).failure
    assert (failure.status, failure.error_type, failure.reason) == (500, "", "")
    assert ItemOutcome(500, Cause()).failure.reason == ""
