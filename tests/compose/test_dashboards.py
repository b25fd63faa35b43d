"""What Compose imports into OpenSearch Dashboards, which does not run in any test, and that a refusal is told."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING

import pytest

from local.compose import setup
from local.compose.setup import SetupError, set_up_dashboards
from local.standins.dashboards import DashboardsStandIn, serve_dashboards
from oktalogger.opensearch.names import IndexNames
from oktalogger.opensearch.setup.dashboards import shipped_objects

if TYPE_CHECKING:
    from pathlib import Path

LOGIN = f"Basic {base64.b64encode(b'admin:secret').decode()}"


def environ(url: str) -> dict[str, str]:
    return {"DASHBOARDS_URL": url, "OPENSEARCH_ADMIN_PASSWORD": "secret"}


def test_everything_is_imported_as_by_the_setup_and_may_be_twice() -> None:
    standin = DashboardsStandIn(login=LOGIN)
    with serve_dashboards(standin) as url:
        for _ in range(2):
            set_up_dashboards(environ(url))
    # Compose has no tenants; the stand-in takes a request without one for the user's own.
    assert standin.objects("private").keys() == {one.key for one in shipped_objects(IndexNames())}
    assert standin.settings["private"]["defaultIndex"]["userValue"] == IndexNames().alias


def test_a_refusal_is_told_without_the_password() -> None:
    with (
        serve_dashboards(DashboardsStandIn(login="other")) as url,
        pytest.raises(SetupError, match="HTTP 401") as caught,
    ):
        set_up_dashboards(environ(url))
    assert "secret" not in str(caught.value)


def test_an_object_that_is_refused_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    broken = {"type": "search", "id": "x", "attributes": {"colour": "red"}, "references": []}
    file = tmp_path / "saved-objects.ndjson"
    file.write_text(json.dumps(broken))
    monkeypatch.setattr(setup, "SAVED_OBJECTS", file)
    with serve_dashboards(DashboardsStandIn(login=LOGIN)) as url, pytest.raises(SetupError, match="colour"):
        set_up_dashboards(environ(url))
