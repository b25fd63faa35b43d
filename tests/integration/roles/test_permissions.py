"""What each role may do, on a real OpenSearch with the security plugin, as users who have that role and no other.

docs/security.md says the same in a table, and a test holds the two together.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from oktalogger.opensearch.errors import OpenSearchLoadError, OpenSearchPermissionError
from oktalogger.opensearch.mapping import newest_mapping
from oktalogger.opensearch.request import send
from oktalogger.opensearch.templates import month_template
from tests.integration.conftest import ROOT
from tests.integration.people import People
from tests.integration.roles.loading import documents
from tests.integration.roles.permissions import ANALYST, CASES, LOADER, SYNC, Case, name
from tests.integration.roles.thefts import NOTICED

if TYPE_CHECKING:
    from opensearchpy import OpenSearch

pytestmark = pytest.mark.opensearch


@pytest.fixture(scope="package")
def held(team: People, loaded: dict[str, Any]) -> dict[str, str]:
    """What the words in the paths stand for: an event of each kind that is there."""
    team.admin.indices.refresh(index=f"{team.names.prefix}*")
    rejected = team.admin.search(index=team.names.rejected, body={"size": 1})["hits"]["hits"][0]["_id"]
    event = team.admin.search(index=team.names.alias, body={"size": 1})["hits"]["hits"][0]["_id"]
    return {
        "ALIAS": team.names.alias,
        "MONTH": f"{team.names.prefix}-2026-11",
        "REJECTED": team.names.rejected,
        "LEDGER": team.names.ledger,
        "PREFIX": team.names.prefix,
        "MATCHES": team.names.matches,
        "KEPT": rejected,
        "ID": event,
    }


def outcome(client: OpenSearch, case: Case, held: dict[str, str]) -> str:
    """Send the request, and say what became of it in the words of :class:`Case`."""

    def filled(text: str) -> str:
        for word, value in held.items():
            text = text.replace(word, value)
        return text

    body = case.ndjson if case.ndjson else None if case.body is None else json.dumps(case.body)
    try:
        answer = send(
            client,
            case.method,
            filled(case.path),
            doing="to do that",
            body=None if body is None else filled(body).encode(),
            content_type="application/x-ndjson" if case.ndjson else "application/json",
        )
    except OpenSearchPermissionError:
        return "no"
    except OpenSearchLoadError as error:
        return "never" if "append_only" in str(error) else str(error)
    for item in answer.get("items", ()):
        (result,) = item.values()
        if result["status"] >= 300:
            return "no" if result["status"] == 403 else "never" if "append_only" in str(result) else str(result)
    return "yes"


@pytest.mark.parametrize("case", CASES, ids=name)
def test_each_thing_is_allowed_or_refused(
    team: People, clients: dict[str, OpenSearch], held: dict[str, str], case: Case
) -> None:
    before = documents(team)
    assert outcome(team.admin if case.role == "admin" else clients[case.role], case, held) == case.answer
    if case.answer != "yes":
        assert documents(team) == before


def test_the_table_in_the_docs_is_the_one_above() -> None:
    text = (ROOT / "docs" / "security.md").read_text().partition("\n## Who may do what, and who notices\n")[2]
    lines = [line.strip("|").split("|") for line in text.partition("\n## ")[0].splitlines() if line.startswith("|")]
    header, _, *rows = [[cell.strip(" `") for cell in line] for line in lines]
    table = {(row[0], role): answer for row in rows for role, answer in zip(header[1:4], row[1:4], strict=True)}
    tried = {(case.what, case.role): case.answer for case in CASES if case.role != "admin"}
    assert {key: table.get(key) for key in tried} == tried
    # What a thief can do, with who notices it, is test_thief.py's.
    noticed = {row[0] for row in rows if row[4]}
    assert noticed == set(NOTICED)
    untried = {key: answer for key, answer in table.items() if key not in tried and key[0] != "create monitors"}
    assert untried == {(what, LOADER): "yes" for what in NOTICED}


@pytest.mark.usefixtures("loaded")
@pytest.mark.parametrize("role", [SYNC, LOADER, ANALYST])
def test_each_role_may_read_the_mapping_that_rules_are_held_against(
    team: People, clients: dict[str, OpenSearch], role: str
) -> None:
    found = newest_mapping(clients[role], team.names)
    assert found is not None
    assert found.version == month_template(team.names).version
