from __future__ import annotations

import pytest

from oktalogger.pipeline.document import LoadKind
from oktalogger.pipeline.share import share_of
from oktalogger.settings import Settings, SettingsError, load_settings


@pytest.mark.parametrize("limit", [20, 60, 120, 600])
def test_backfill_and_reconcile_always_leave_room_for_live_work(limit: int) -> None:
    settings = Settings()
    live = share_of("scheduled", settings)
    for kind in ("backfill", "reconcile"):
        patient = share_of(kind, settings)
        assert patient.floor(limit) >= limit // 4
        assert patient.exact(limit) <= limit * 0.25
        assert patient.paced
    assert live.exact(limit) == limit / 2
    assert 1 < live.floor(limit) < limit
    assert not live.paced


@pytest.mark.parametrize(("kind", "expected"), [("scheduled", 60), ("manual", 60), ("backfill", 10), ("reconcile", 30)])
def test_tasks_of_a_backfill_divide_its_share(kind: LoadKind, expected: int) -> None:
    assert share_of(kind, Settings(backfill_tasks=3)).exact(120) == pytest.approx(expected)


@pytest.mark.parametrize("kind", ["scheduled", "backfill", "reconcile"])
def test_every_task_that_may_ask_at_once_is_counted(kind: LoadKind) -> None:
    assert share_of(kind, Settings(live_tasks=3, backfill_tasks=2)).tasks == 6, "and the one that reconciles"


def test_a_run_may_name_its_own_part() -> None:
    assert share_of("backfill", Settings(), part=0.1).exact(100) == pytest.approx(10)
    with pytest.raises(ValueError, match="is not a share"):
        share_of("backfill", Settings(), part=0.0)


@pytest.mark.parametrize(
    ("name", "value"), [("LIVE_SHARE", "0"), ("LIVE_SHARE", "half"), ("LIVE_RESERVE", "1"), ("BACKFILL_SHARE", "1.5")]
)
def test_a_share_that_is_none_is_a_settings_error(name: str, value: str) -> None:
    with pytest.raises(SettingsError, match=f"OKTALOGGER_{name}"):
        load_settings({f"OKTALOGGER_{name}": value})
    assert load_settings({"OKTALOGGER_LIVE_RESERVE": "0"}).live_reserve == 0
