"""What belongs behind the alias over the months, by what is there."""

from __future__ import annotations

from typing import Any

import pytest

from oktalogger.opensearch.aliases import alias_actions, repairs, without_copies
from oktalogger.opensearch.existing import IndexState
from oktalogger.opensearch.names import IndexNames
from oktalogger.opensearch.templates import Meta

NAMES = IndexNames()
MONTH, OLDER, COPY = "okta-system-log-2026-11", "okta-system-log-2026-10", "restored-okta-system-log-2026-11"
OURS = Meta("oktalogger", 2)


def index(name: str, *, narrowed: tuple[str, ...] = (), **more: Any) -> IndexState:
    values: dict[str, Any] = {
        "aliases": {NAMES.alias: False, NAMES.write_alias(name): False},
        "meta": OURS,
        "uuid": f"uuid of {name}",
        "narrowed": frozenset(narrowed),
    }
    return IndexState(name, **values | more)


def actions(*indices: IndexState) -> list[dict[str, Any]]:
    return [dict(repair.action) for repair in repairs(NAMES, {state.name: state for state in indices})]


def test_where_all_is_well_nothing_is_done() -> None:
    assert actions(index(MONTH), index(OLDER)) == []
    assert alias_actions(NAMES, index(MONTH)) == []


def test_a_copy_loses_the_alias_and_that_through_which_its_original_is_written() -> None:
    copy = index(COPY, aliases={NAMES.alias: False, NAMES.write_alias(MONTH): False})
    assert actions(index(MONTH), copy) == [
        {"remove": {"index": COPY, "alias": "okta-system-log"}},
        {"remove": {"index": COPY, "alias": "okta-system-log-2026-11-write"}},
    ]


def test_a_copy_of_the_ledger_loses_the_alias_through_which_that_is_written() -> None:
    """A snapshot restored under another name brings the aliases along."""
    alias = NAMES.write_alias(NAMES.ledger)
    copy = index("restored-okta-system-log-ledger", aliases={alias: False})
    ledger = index(NAMES.ledger, aliases={alias: False})
    assert actions(copy, ledger) == [{"remove": {"index": copy.name, "alias": alias}}]
    states = {state.name: state for state in (copy, ledger)}
    repaired = without_copies(NAMES, states, repairs(NAMES, states))
    assert {name: list(state.aliases) for name, state in repaired.items()} == {copy.name: [], NAMES.ledger: [alias]}


@pytest.mark.parametrize(
    "name", ["okta-system-log-2026-11-copy", "okta-system-log-2026-13", "okta-system-log-rejected"]
)
def test_whatever_is_no_month_is_a_stranger(name: str) -> None:
    (repair,) = repairs(NAMES, {name: index(name)})
    assert name in str(repair)
    assert repair.action == {"remove": {"index": name, "alias": "okta-system-log"}}


def test_a_month_without_the_alias_gets_it() -> None:
    older = index(OLDER, aliases={NAMES.write_alias(OLDER): False})
    assert actions(index(MONTH), older) == [
        {"add": {"index": OLDER, "alias": "okta-system-log", "is_write_index": False}}
    ]


def test_one_that_is_not_ours_does_not() -> None:
    assert actions(index(MONTH), index(OLDER, aliases={}, meta=Meta(None, 0))) == []


def test_a_filter_on_the_alias_goes() -> None:
    assert actions(index(MONTH, narrowed=(NAMES.alias,))) == [
        {"add": {"index": MONTH, "alias": "okta-system-log", "is_write_index": False}}
    ]


def test_a_month_that_an_older_version_made_the_write_index_is_that_no_longer() -> None:
    older = index(MONTH, aliases={NAMES.alias: True, NAMES.write_alias(MONTH): False})
    (repair,) = repairs(NAMES, {MONTH: older})
    assert "write index" in str(repair)
    assert repair.action == {"add": {"index": MONTH, "alias": "okta-system-log", "is_write_index": False}}


def test_the_alias_through_which_a_month_is_written_must_not_narrow_it_either() -> None:
    state = index(MONTH, narrowed=(NAMES.write_alias(MONTH),))
    assert alias_actions(NAMES, state) == [{"add": {"index": MONTH, "alias": "okta-system-log-2026-11-write"}}]
