from __future__ import annotations

import base64
import zlib
from dataclasses import replace

import msgspec
import pytest

from oktalogger.ui.packing import LARGEST, as_columns, fit, pack, unpack
from tests.unit.ui.made_up import made_up


def test_a_snapshot_comes_back_as_it_was() -> None:
    snapshot = made_up(findings=60)
    assert unpack(pack(snapshot)) == snapshot


def test_equal_snapshots_give_equal_texts() -> None:
    assert pack(made_up()) == pack(made_up())


def test_ninety_days_and_five_thousand_findings_of_as_many_people_fit() -> None:
    snapshot = made_up(findings=5_000)
    smaller, packed = fit(snapshot)
    assert len(packed) <= LARGEST
    assert len(smaller.findings) == 5_000
    assert smaller.hours == snapshot.hours
    assert [one.who for one in smaller.findings] == [one.who for one in snapshot.findings]


def test_what_does_not_fit_is_left_out_and_counted_the_oldest_first() -> None:
    snapshot = made_up(findings=2_000)
    smaller, packed = fit(snapshot, most=60_000)
    assert len(packed) <= 60_000
    kept = len(smaller.findings)
    assert 0 < kept < 2_000
    assert smaller.left_out == 2_000 - kept
    assert [one.last for one in smaller.findings] == [one.last for one in snapshot.findings[:kept]]


def test_hours_that_do_not_fit_are_an_error_and_not_a_hole() -> None:
    with pytest.raises(ValueError, match="without a finding"):
        fit(made_up(findings=3), most=500)


@pytest.mark.parametrize("text", ["", "no base64 ", base64.b64encode(b"not compressed").decode()])
def test_what_is_not_a_snapshot_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a snapshot"):
        unpack(text)


def test_a_snapshot_of_another_version_is_refused() -> None:
    values = {**as_columns(replace(made_up(findings=0))), "version": 99}
    text = base64.b64encode(zlib.compress(msgspec.json.encode(values))).decode()
    with pytest.raises(ValueError, match="version 99"):
        unpack(text)
