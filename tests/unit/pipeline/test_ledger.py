from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import msgspec

from oktalogger.pipeline.lateness import Lateness
from oktalogger.pipeline.ledger import LedgerEntry, LedgerKey, advance, begin, from_the_start
from oktalogger.pipeline.load_result import LoadResult
from oktalogger.window import Window

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
KEY = LedgerKey("example.okta.com", "scheduled", Window(NOON, NOON + timedelta(minutes=5)))


def result(*seconds: float, late: float = 0.0, restarted: bool = False) -> LoadResult:
    found = LoadResult(created=len(seconds), late_max_seconds=late, restarted=restarted)
    for each in seconds:
        found.lateness.add(each)
    return found


def started(before: LedgerEntry | None = None, *, now: datetime = NOON, run_id: str = "run") -> LedgerEntry:
    # Through JSON, as it comes back from OpenSearch.
    if before is not None:
        before = msgspec.json.decode(msgspec.json.encode(before), type=LedgerEntry)
    return begin(KEY, before, run_id=run_id, run_url=None, now=now)


def stopped(entry: LedgerEntry, found: LoadResult) -> LedgerEntry:
    return advance(entry, found, next_url="https://example.okta.com/2", state="failed", now=NOON)


class TestKey:
    def test_a_window_that_is_read_through_a_filter_or_by_keywords_has_an_entry_of_its_own(self) -> None:
        plain = "example.okta.com/scheduled/2026-11-23T12:00:00Z/2026-11-23T12:05:00Z"
        assert KEY.id == plain
        ids = [replace(KEY, filter=filter, q=q).id for filter, q in (("x", None), (None, "x"), ("x", "x"))]
        assert len({KEY.id, *ids}) == 4
        # As long as the ids that older versions wrote.
        assert all(id.startswith(f"{plain}/") and len(id) == len(plain) + 17 for id in ids)

    def test_what_one_reads_is_read_for_the_same_filter_and_keywords_only(self) -> None:
        entry = begin(replace(KEY, filter="f", q="q"), None, run_id="run", run_url=None, now=NOON)
        assert entry.reads_for("f", "q")
        assert not any(entry.reads_for(*other) for other in ((None, None), ("f", None), (None, "q"), ("f", "p")))
        assert started().reads_for("f", "q"), "without either it reads everything"


class TestTries:
    def test_they_are_counted(self) -> None:
        assert LedgerEntry(id="i", org="o", kind="scheduled", window_start=NOON, window_end=NOON).tries == 1
        first = started()
        second = started(first)
        assert (first.tries, second.tries, started(second).tries) == (1, 2, 3)

    def test_one_after_a_complete_one_takes_nothing_over(self) -> None:
        done = advance(started(), result(5.0, late=5.0), next_url=None, state="complete", now=NOON)
        odd = msgspec.structs.replace(done, next_url="https://example.okta.com/2", lateness_counts={"5": 1})
        again = started(odd)
        assert (again.next_url, again.counts, again.lateness, again.lateness_counts) == (None, {}, {}, {})

    def test_the_newest_says_of_the_rate_limit_what_it_knows(self) -> None:
        first = stopped(started(), LoadResult(rate_limit=60, rate_remaining=12))
        assert first.rate == {"limit": 60, "remaining": 12}
        assert stopped(first, LoadResult()).rate == first.rate, "where it knows nothing, what was known before stays"
        assert stopped(first, LoadResult(rate_limit=60)).rate == first.rate
        assert stopped(first, LoadResult(rate_limit=60, rate_remaining=9)).rate == {"limit": 60, "remaining": 9}


class TestLateness:
    def test_a_try_that_resumes_goes_on_with_that_of_the_one_before(self) -> None:
        first = stopped(started(), result(*[1.0] * 90, 500.25, late=500.25))
        second = advance(started(first), result(*[40.0] * 9), next_url=None, state="complete", now=NOON)
        assert second.counts["created"] == 100
        assert second.lateness == {
            "max": 500.25,
            "p50": 1.0,
            "p95": 40.0,
            "p99": 40.0,
            "late_max": 500.25,
            "missed_max": 0.0,
        }
        assert second.lateness_counts == {}, "there is nothing to go on with"

    def test_one_that_creates_nothing_keeps_it(self) -> None:
        first = stopped(started(), result(3.0, 4.0))
        second = stopped(started(first), result())
        assert second.lateness == first.lateness
        assert second.lateness_counts == {"3": 1, "4": 1}

    def test_one_that_begins_at_the_start_after_all_forgets_it(self) -> None:
        first = stopped(started(), result(500.0, late=500.0))
        second = stopped(started(first), result(2.0, restarted=True))
        assert second.lateness["max"] == 2.0
        assert second.lateness["late_max"] == 0.0

    def test_a_load_of_what_was_complete_counts_anew(self) -> None:
        first = advance(started(), result(500.0), next_url=None, state="complete", now=NOON)
        assert advance(started(first), result(), next_url=None, state="complete", now=NOON).lateness == {}


class TestCounts:
    def test_times_are_rounded_to_milliseconds(self) -> None:
        entry = stopped(started(), LoadResult(seconds=1.23456, waited_seconds=0.00049))
        assert (entry.counts["seconds"], entry.counts["waited_seconds"]) == (1.235, 0.0)
        restarted = stopped(started(), result(1.23456, late=1.23456, restarted=True))
        assert restarted.lateness["late_max"] == 1.235
        assert stopped(started(), result(1.23456, late=1.23456)).lateness["late_max"] == 1.235

    def test_a_first_try_adds_to_nothing(self) -> None:
        entry = stopped(started(), result(0.25))
        assert (entry.lateness["max"], entry.lateness["late_max"]) == (0.25, 0.0)

    def test_a_try_that_resumes_adds_to_those_of_the_one_before(self) -> None:
        first = stopped(started(), result(1.0, 2.0))
        second = stopped(started(first), result(3.0))
        assert (first.counts["created"], second.counts["created"]) == (2, 3)

    def test_one_that_begins_at_the_start_after_all_counts_anew(self) -> None:
        first = stopped(started(), result(1.0, 2.0))
        second = stopped(started(first), result(3.0, restarted=True))
        assert second.counts["created"] == 1


class TestLoadingSince:
    LATER = NOON + timedelta(minutes=27)

    def test_a_first_try_begins_now(self) -> None:
        assert started().loading_since == NOON

    def test_a_try_that_resumes_goes_on_since_the_first_one(self) -> None:
        second = started(stopped(started(), result(1.0)), now=NOON + timedelta(minutes=9))
        third = started(stopped(second, result(1.0)), now=self.LATER)
        assert (third.loading_since, third.started_at) == (NOON, self.LATER)
        assert advance(third, result(), next_url=None, state="complete", now=self.LATER).loading_since == NOON

    def test_so_does_one_that_begins_at_the_windows_start(self) -> None:
        # The first one was killed within its first page, or before it could write that the last one was stored.
        first = started()
        assert (first.state, first.next_url) == ("running", None)
        assert started(first, now=self.LATER).loading_since == NOON

    def test_so_does_one_of_the_same_run_that_was_killed_after_its_load_had_ended(self) -> None:
        first = advance(started(), result(1.0), next_url=None, state="complete", now=NOON)
        second = started(first, now=self.LATER)
        assert (second.loading_since, second.next_url, second.counts) == (NOON, None, {})

    def test_after_a_complete_one_of_another_run_it_begins_anew(self) -> None:
        first = advance(started(), result(1.0), next_url=None, state="complete", now=NOON)
        second = started(first, now=self.LATER, run_id="another")
        assert second.loading_since == self.LATER
        third = started(stopped(second, result(1.0)), now=self.LATER + timedelta(hours=1), run_id="a third")
        assert third.completed_at == NOON
        assert third.loading_since == self.LATER, "that it was once complete does not matter"

    def test_of_an_older_versions_entry_its_newest_try_is_all_that_is_known(self) -> None:
        first = msgspec.structs.replace(stopped(started(), result(1.0)), loading_since=None)
        assert started(first, now=self.LATER).loading_since == NOON


def test_counts_of_lateness_come_back_as_they_were() -> None:
    lateness = Lateness()
    for seconds in (0.004, 0.5, 9.96, 123.4, 7776000.0):
        lateness.add(seconds, 3)
    again = Lateness.of(lateness.counts(), lateness.max_seconds)
    assert again.as_dict() == lateness.as_dict()
    assert again.counts() == lateness.counts()


class TestIndices:
    """What was written to belongs to what was counted."""

    def wrote(self, **indices: str) -> LoadResult:
        found = result(1.0)
        found.indices = indices
        return found

    def test_tries_that_go_on_add_theirs(self) -> None:
        first = stopped(started(), self.wrote(november="a"))
        assert stopped(started(first), self.wrote(december="b")).indices == {"november": "a", "december": "b"}

    def test_one_that_begins_at_the_start_has_its_own(self) -> None:
        first = stopped(started(), self.wrote(november="a"))
        anew = self.wrote(december="b")
        anew.restarted = True
        assert stopped(started(first), anew).indices == {"december": "b"}
        assert started(advance(first, self.wrote(), next_url=None, state="complete", now=NOON)).indices == {}

    def test_one_whose_index_is_gone_has_nothing_of_the_tries_before_it(self) -> None:
        first = stopped(started(), self.wrote(november="a"))
        again = from_the_start(started(first))
        assert (again.next_url, again.counts, again.indices, again.lateness) == (None, {}, {}, {})
        assert again.loading_since == first.loading_since


class TestOlderThanOktaKeeps:
    def test_what_was_read_to_its_end_is_done_and_covers_nothing(self) -> None:
        found = LoadResult(older_than_kept=True, created=3)
        entry = advance(started(), found, next_url=None, state="complete", now=NOON)
        assert (entry.state, entry.completed_at, entry.next_url) == ("older_than_kept", None, None)
        assert entry.is_done
        assert not entry.covers
        assert entry.counts["created"] == 3

    def test_a_try_after_it_begins_anew(self) -> None:
        done = advance(started(), LoadResult(older_than_kept=True), next_url=None, state="complete", now=NOON)
        again = started(done, now=NOON + timedelta(hours=1), run_id="other")
        assert (again.state, again.counts, again.began) == ("running", {}, NOON + timedelta(hours=1))

    def test_it_takes_back_nothing_of_what_was_complete_in_time(self) -> None:
        once = advance(started(), LoadResult(), next_url=None, state="complete", now=NOON)
        later = advance(started(once), LoadResult(older_than_kept=True), next_url=None, state="complete", now=NOON)
        assert later.state == "older_than_kept"
        assert later.covers

    def test_one_that_stops_half_way_goes_on(self) -> None:
        half = stopped(started(), LoadResult(older_than_kept=True))
        assert (half.state, half.is_done) == ("failed", False)
        assert started(half).next_url == "https://example.okta.com/2"
