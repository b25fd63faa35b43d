from __future__ import annotations

import pytest

from oktalogger.checks.airflow import CHECKS, Pool, PoolAnswer
from oktalogger.checks.model import run


@pytest.mark.parametrize(
    ("answer", "state", "words"),
    [
        (PoolAnswer(True, 4), "ok", "is there"),
        (PoolAnswer(True), "ok", "Tasks start in the pool `okta_api`"),
        (PoolAnswer(True, -1), "ok", "is there"),
        (PoolAnswer(True, 1), "note", "a live load waits while a backfill or reconcile reads"),
        (PoolAnswer(True, 0), "wrong", "has no slot"),
        (PoolAnswer(False), "wrong", "run `airflow pools set okta_api 4 'Tasks that ask Okta'`"),
        (PoolAnswer(None, why="Nobody can say."), "not asked", "Nobody can say."),
    ],
)
def test_what_airflow_says_of_the_pool(answer: PoolAnswer, state: str, words: str) -> None:
    [line] = run(CHECKS, Pool(name="okta_api", ask=lambda name: answer))
    assert line.verdict.state == state
    assert words in line.verdict.sentence
