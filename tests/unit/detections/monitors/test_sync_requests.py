"""What the sync of many rules costs in requests. How long that takes is measured by ``python -m local.bench.sync``."""

from __future__ import annotations

import pytest

from local.bench.sync import sync_of_many


@pytest.mark.parametrize("foreign", [0, 100])
def test_500_rules_cost_a_few_requests_and_no_write_when_nothing_changed(foreign: int) -> None:
    found = sync_of_many(500, foreign=foreign, delay=0)
    assert found.created == 500
    assert (found.unchanged, found.foreign) == (500, foreign)
    assert found.writes == 0
    # A page has 200 monitors, and only what lies on the last one is not there twice.
    assert found.plan_requests <= 5
    assert found.apply_requests <= 5
