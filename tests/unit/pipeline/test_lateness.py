from __future__ import annotations

import pytest

from oktalogger.pipeline.lateness import Lateness


def counted(*seconds: float) -> Lateness:
    lateness = Lateness()
    for each in seconds:
        lateness.add(each)
    return lateness


def test_where_there_is_none_all_is_zero() -> None:
    assert Lateness().as_dict() == {"max": 0.0, "p50": 0.0, "p95": 0.0, "p99": 0.0}
    assert Lateness().count == 0
    assert counted().percentile(50) == 0.0


@pytest.mark.parametrize(
    ("seconds", "kept"),
    [
        (0.004, "0"),
        (0.126, "0.13"),
        (0.999, "1"),
        (1.0, "1"),
        (1.26, "1.3"),
        (9.96, "10"),
        (12.6, "13"),
        (1264.0, "1300"),
    ],
)
def test_two_digits_are_kept(seconds: float, kept: str) -> None:
    assert counted(seconds).counts() == {kept: 1}


def test_a_clock_ahead_of_ours_counts_as_none() -> None:
    assert counted(-3.0).counts() == {"0": 1}
    assert counted(-3.0).max_seconds == 0.0


def test_a_percentile_is_what_so_many_percent_did_not_exceed() -> None:
    lateness = counted(*range(1, 101))
    assert [lateness.percentile(percent) for percent in (1, 50, 95, 99, 100)] == [1, 50, 95, 99, 100]
    assert counted(1, 2, 3).percentile(50) == 2
    many = Lateness()
    many.add(1.0, 496)
    many.add(2.0, 504)
    assert many.percentile(50) == 2
    assert counted(1, 2).percentile(50) == 1


def test_the_greatest_is_exact_to_a_millisecond() -> None:
    assert counted(12.34567, 3.0).as_dict()["max"] == 12.346


def test_several_at_once_count_as_many() -> None:
    lateness = Lateness()
    lateness.add(2.0, 3)
    lateness.add(2.0)
    assert (lateness.count, lateness.counts()) == (4, {"2": 4})


def test_what_two_counted_is_joined() -> None:
    one, other = counted(1.0, 2.0), counted(2.0, 77.0)
    one.merge(other)
    assert (one.count, one.max_seconds) == (4, 77.0)
    assert one.counts() == {"1": 1, "2": 2, "77": 1}
    one.merge(counted(5.0))
    assert one.max_seconds == 77.0
