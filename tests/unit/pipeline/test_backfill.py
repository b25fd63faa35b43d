from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oktalogger.pipeline.backfill import (
    CHUNKS,
    BackfillError,
    BackfillRequest,
    check_count,
    chunks,
    name_of,
    read_request,
    to_load,
    warnings,
)
from oktalogger.window import Window, gaps

NOW = datetime(2026, 11, 23, 12, 3, 21, tzinfo=UTC)
DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
MIDNIGHT = datetime(2026, 11, 20, tzinfo=UTC)


def read(**params: Any) -> BackfillRequest:
    return read_request({"from": "2026-11-20T00:00:00Z", **params}, now=NOW)


def test_the_form_as_it_stands() -> None:
    request = read(to=None, chunk="6 hours", order="newest first", share=0.25)
    assert request.window == Window(MIDNIGHT, datetime(2026, 11, 23, 11, 50, tzinfo=UTC))
    assert (request.chunk, request.newest_first) == (6 * HOUR, True)


@pytest.mark.parametrize(
    ("params", "sentence"),
    [
        ({"from": None}, "`from` is missing"),
        ({"from": "yesterday"}, "from='yesterday' is not a date and time"),
        ({"from": "2026-11-20T00:00:00"}, "has no time zone.*Write 2026-11-20T00:00:00Z for UTC, or an offset"),
        ({"to": "2026-11-22"}, "to='2026-11-22T00:00:00' has no time zone"),
        ({"from": "2026-11-24T00:00:00Z"}, r"`from` \(2026-11-24T00:00:00Z\) lies in the future"),
        ({"to": "2026-12-24T00:00:00Z"}, r"`to` \(2026-12-24T00:00:00Z\) lies in the future"),
        ({"to": "2026-11-19T00:00:00Z"}, "is not before `to`.*Give the earlier one first"),
        ({"to": "2026-11-20T00:00:00Z"}, "is not before `to`"),
        ({"from": "2026-05-20T00:00:00Z"}, "The since parameter is over 180 days prior to the current day"),
        ({"chunk": "2 weeks"}, "chunk='2 weeks' is none of 1 hour"),
        ({"order": "random"}, "order='random' is none of newest first"),
    ],
)
def test_nonsense_is_refused_with_a_sentence(params: dict[str, Any], sentence: str) -> None:
    with pytest.raises(BackfillError, match=sentence):
        read(**params)


@pytest.mark.parametrize(
    ("name", "hours"), [("1 hour", 1), ("3 hours", 3), ("6 hours", 6), ("12 hours", 12), ("1 day", 24)]
)
def test_each_chunk_is_as_wide_as_its_name_says(name: str, hours: int) -> None:
    assert read(chunk=name).chunk == hours * HOUR
    assert len(CHUNKS) == 5


def test_without_an_order_the_newest_comes_first() -> None:
    assert read().newest_first
    assert not read(order="oldest first").newest_first


def test_all_up_to_this_instant_and_from_180_days_ago_on_can_be_asked_for() -> None:
    now = NOW.isoformat()
    oldest = NOW - 180 * DAY
    assert read(**{"from": oldest.isoformat(), "to": now}).window == Window(oldest, NOW)
    with pytest.raises(BackfillError, match="over 180 days ago"):
        read(**{"from": (oldest - timedelta(seconds=1)).isoformat()})


def test_the_one_that_lies_in_the_future_is_named() -> None:
    later = (NOW + DAY).isoformat()
    with pytest.raises(BackfillError, match=r"^`to`"):
        read(**{"from": NOW.isoformat(), "to": later})
    with pytest.raises(BackfillError, match=r"^`from` .* is not before `to`"):
        read(**{"from": NOW.isoformat()})


def test_from_the_first_minute_that_okta_keeps_nothing_is_odd() -> None:
    kept = datetime(2026, 8, 25, 12, 3, tzinfo=UTC)
    assert warnings(BackfillRequest(Window(kept, NOW), HOUR), now=NOW) == []
    assert len(warnings(BackfillRequest(Window(kept - timedelta(seconds=1), NOW), HOUR), now=NOW)) == 1


def test_over_90_days_warns_and_goes_on() -> None:
    [warning] = warnings(read(**{"from": "2026-07-01T00:00:00Z"}), now=NOW)
    assert "over 90 days ago" in warning
    assert "2026-08-25T12:03:00Z" in warning
    assert warnings(read(), now=NOW) == []


def test_the_newest_chunk_comes_first() -> None:
    window = Window(MIDNIGHT, MIDNIGHT + DAY)
    newest = to_load(BackfillRequest(window, 6 * HOUR), [])
    assert newest[0].end == window.end
    assert to_load(BackfillRequest(window, 6 * HOUR, newest_first=False), []) == newest[::-1]


def test_chunks_that_are_complete_are_left_out() -> None:
    window = Window(MIDNIGHT, MIDNIGHT + DAY)
    complete = [
        *Window(MIDNIGHT, MIDNIGHT + 6 * HOUR).split(timedelta(minutes=5)),
        Window(MIDNIGHT + 12 * HOUR, window.end),
    ]
    assert to_load(BackfillRequest(window, 6 * HOUR), complete) == [Window(MIDNIGHT + 6 * HOUR, MIDNIGHT + 12 * HOUR)]
    complete.pop(3)
    assert len(to_load(BackfillRequest(window, 6 * HOUR), complete)) == 2, "five minutes are missing in the first"


@given(
    start=st.integers(-10_000, 10_000),
    length=st.integers(1, 10_000),
    width=st.sampled_from(list(CHUNKS.values())),
)
def test_chunks_touch_cover_and_lie_on_the_grid(start: int, length: int, width: timedelta) -> None:
    window = Window(MIDNIGHT + timedelta(minutes=start), MIDNIGHT + timedelta(minutes=start + length))
    parts = chunks(window, width)
    assert (parts[0].start, parts[-1].end) == (window.start, window.end)
    assert all(one.end == other.start for one, other in itertools.pairwise(parts))
    assert all((part.end - MIDNIGHT) % width == timedelta(0) for part in parts[:-1])


@given(
    done=st.sets(st.integers(0, 39)),
    again=st.sets(st.integers(0, 39)),
    width=st.sampled_from(list(CHUNKS.values())),
)
def test_any_stop_and_restart_leaves_nothing_out(done: set[int], again: set[int], width: timedelta) -> None:
    window = Window(MIDNIGHT - 37 * HOUR, MIDNIGHT + timedelta(minutes=17))
    complete: list[Window] = []
    for stop in (done, again):
        parts = to_load(BackfillRequest(window, width), complete)
        complete += [part for number, part in enumerate(parts) if number in stop]
    left = to_load(BackfillRequest(window, width), complete)
    assert gaps(window, [*complete, *left]) == []
    assert not set(left) & set(complete)


def test_more_chunks_than_airflow_maps_are_refused_with_advice() -> None:
    request = BackfillRequest(Window(MIDNIGHT - 90 * DAY, MIDNIGHT), HOUR)
    with pytest.raises(BackfillError, match=r"2,160 chunks.*at most 1,024 tasks.*Take chunks of 3 hours or more"):
        check_count(to_load(request, []), request, 1024)
    with pytest.raises(BackfillError, match="Take chunks of 3 hours or more"):
        check_count(to_load(request, []), request, 720)
    with pytest.raises(BackfillError, match="Take a shorter range"):
        check_count(to_load(request, []), request, 10)
    check_count(to_load(request, []), request, 2160)


@pytest.mark.parametrize(
    ("hours", "name"),
    [
        ((6, 12), "2026-11-20 06:00 to 12:00 UTC"),
        ((18, 24), "2026-11-20 18:00 to 24:00 UTC"),
        ((0, 24), "2026-11-20 00:00 to 24:00 UTC"),
        ((18, 30), "2026-11-20 18:00 to 2026-11-21 06:00 UTC"),
    ],
)
def test_names(hours: tuple[int, int], name: str) -> None:
    assert name_of(Window(MIDNIGHT + hours[0] * HOUR, MIDNIGHT + hours[1] * HOUR)) == name


def test_a_part_that_is_damaged_is_loaded_again_though_it_is_complete() -> None:
    request = BackfillRequest(Window(MIDNIGHT, MIDNIGHT + DAY), 6 * HOUR)
    hour = Window(MIDNIGHT + 7 * HOUR, MIDNIGHT + 8 * HOUR)
    assert to_load(request, [request.window]) == []
    assert to_load(request, [request.window], [hour]) == [Window(MIDNIGHT + 6 * HOUR, MIDNIGHT + 12 * HOUR)]
