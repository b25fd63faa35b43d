"""Names of indices."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from oktalogger.opensearch.names import IndexNames, IndexPrefixError
from oktalogger.settings import SettingsError, load_settings


def test_the_month_is_that_of_utc() -> None:
    names = IndexNames()
    late = datetime(2026, 11, 30, 23, 59, 59, 999999, tzinfo=UTC)
    assert names.month_index(late) == "okta-system-log-2026-11"
    assert names.month_index(late + timedelta(microseconds=1)) == "okta-system-log-2026-12"
    # 1 December in Berlin, still November in UTC.
    assert names.month_index(datetime(2026, 12, 1, 0, 30, tzinfo=timezone(timedelta(hours=1)))).endswith("-2026-11")


def test_a_time_without_a_zone_has_no_month() -> None:
    with pytest.raises(ValueError, match="no time zone"):
        IndexNames().month_index(datetime(2026, 11, 1))


@pytest.mark.parametrize(
    "prefix", ["", "Okta", "okta.log", "-okta", "okta_log", "okta*", "okta log", "o" * 101, "okta/x"]
)
def test_prefixes_that_opensearch_or_monitors_refuse(prefix: str) -> None:
    with pytest.raises(IndexPrefixError, match=r"index prefix .* it takes a name of small letters"):
        IndexNames(prefix)
    if prefix:
        with pytest.raises(SettingsError, match="OKTALOGGER_INDEX_PREFIX"):
            load_settings({"OKTALOGGER_INDEX_PREFIX": prefix})


def test_which_names_are_months() -> None:
    names = IndexNames("okta")
    assert names.is_month("okta-2026-01")
    for name in ("okta-2026-13", "okta-rejected", "okta-ledger", "okta", "okta-2026-01-write", "other-2026-01"):
        assert not names.is_month(name)
    assert (names.alias, names.rejected, names.ledger) == ("okta", "okta-rejected", "okta-ledger")
    assert names.write_alias("okta-2026-01") == "okta-2026-01-write"
