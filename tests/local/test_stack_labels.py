"""A finding is named in Airflow's UI once its task has run, and not before."""

from __future__ import annotations

from typing import Any

import pytest
import requests

from local.stack.airflow_api import AirflowApi


@pytest.mark.parametrize("unnamed", [None, "1"], ids=["Airflow 2", "Airflow 3"])
def test_a_part_that_has_not_run_has_no_name(monkeypatch: pytest.MonkeyPatch, unnamed: str | None) -> None:
    class Answer(requests.Response):
        def json(self, **_: Any) -> Any:
            parts = [(1, unnamed), (0, "high: Rule 1 (2)"), (-1, None)]
            return {"task_instances": [{"map_index": at, "rendered_map_index": name} for at, name in parts]}

    answer = Answer()
    answer.status_code = 200
    monkeypatch.setattr(AirflowApi, "_ask", lambda *_, **__: answer)
    api = AirflowApi.__new__(AirflowApi)
    assert api.mapped_labels("dag", "run", "finding") == ["high: Rule 1 (2)"]
