"""What reconcile could not read is read by its next run, and costs nothing but itself."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from oktalogger.pipeline.ledger import LedgerEntry
from oktalogger.pipeline.owed import owed_of, with_owed
from oktalogger.pipeline.reconcile import Ledgered
from oktalogger.window import Window, merge

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
FIVE = timedelta(minutes=5)
TEN_TO_ELEVEN = Window(NOON - 2 * HOUR, NOON - HOUR)


def entry(window: Window, state: str, *, at: datetime, kind: str = "reconcile", **more: str) -> LedgerEntry:
    return LedgerEntry(
        id=f"{kind}/{window}",
        org="o",
        kind=kind,
        window_start=window.start,
        window_end=window.end,
        state=state,  # type: ignore[arg-type]
        updated_at=at,
        **more,  # type: ignore[arg-type]
    )


def pieces() -> list[Window]:
    return list(TEN_TO_ELEVEN.split(FIVE))


class TestOwed:
    def test_what_failed_and_what_was_killed_is(self) -> None:
        for state in ("failed", "running"):
            assert owed_of([entry(TEN_TO_ELEVEN, state, at=NOON)]) == (TEN_TO_ELEVEN,)

    def test_what_was_read_to_its_end_is_not(self) -> None:
        assert owed_of([entry(TEN_TO_ELEVEN, "complete", at=NOON)]) == ()

    def test_what_another_kind_of_load_could_not_read_is_not(self) -> None:
        assert owed_of([entry(TEN_TO_ELEVEN, "failed", at=NOON, kind="scheduled")]) == ()

    def test_what_was_read_in_pieces_since_is_not(self) -> None:
        poison, *good = pieces()
        tries = [entry(piece, "complete", at=NOON + HOUR) for piece in good]
        found = owed_of([entry(TEN_TO_ELEVEN, "failed", at=NOON), entry(poison, "failed", at=NOON + HOUR), *tries])
        assert found == (poison,)

    def test_what_was_read_in_pieces_before_is(self) -> None:
        before = [entry(piece, "complete", at=NOON - HOUR) for piece in pieces()]
        assert owed_of([entry(TEN_TO_ELEVEN, "failed", at=NOON), *before]) == (TEN_TO_ELEVEN,)

    def test_what_was_read_at_the_same_moment_is(self) -> None:
        done = [entry(piece, "complete", at=NOON) for piece in pieces()]
        assert owed_of([entry(TEN_TO_ELEVEN, "failed", at=NOON), *done]) == (TEN_TO_ELEVEN,)

    def test_the_ledger_says_it_of_what_this_deployment_reads(self) -> None:
        failed = entry(TEN_TO_ELEVEN, "failed", at=NOON, filter='severity eq "WARN"')
        assert Ledgered.of([failed]).owed == ()
        assert Ledgered.of([failed], 'severity eq "WARN"').owed == (TEN_TO_ELEVEN,)


class TestWhatIsRead:
    NEXT = Window(NOON - HOUR, NOON)

    def test_nothing_else_where_nothing_is_owed(self) -> None:
        assert with_owed([self.NEXT], [], FIVE) == [self.NEXT]

    def test_what_is_owed_comes_last_and_in_pieces(self) -> None:
        assert with_owed([self.NEXT], [TEN_TO_ELEVEN], FIVE) == [self.NEXT, *pieces()]

    def test_what_is_owed_right_after_leaves_what_is_planned_whole(self) -> None:
        assert with_owed([TEN_TO_ELEVEN], iter([self.NEXT]), FIVE) == [TEN_TO_ELEVEN, *self.NEXT.split(FIVE)]
        assert with_owed([TEN_TO_ELEVEN], iter([pieces()[3]]), FIVE) == pieces()

    def test_what_is_planned_and_owed_is_read_once_and_in_pieces(self) -> None:
        found = with_owed([TEN_TO_ELEVEN, self.NEXT], [pieces()[3]], FIVE)
        assert found == [self.NEXT, *pieces()]

    def test_what_is_owed_beside_what_is_planned_is_not_read_twice(self) -> None:
        gap = Window(TEN_TO_ELEVEN.start, TEN_TO_ELEVEN.start + 4 * FIVE)
        found = with_owed([gap], [TEN_TO_ELEVEN], FIVE)
        assert len(found) == len(set(found)) == 12
        assert merge(found) == [TEN_TO_ELEVEN]
