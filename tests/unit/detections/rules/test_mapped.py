"""A rule that looks at a field that the cluster lacks is refused: it would never fire, and nothing would say so."""

from __future__ import annotations

import copy
import json
from typing import TYPE_CHECKING, Any

import pytest

from local.standins.alerting import AlertingStandIn
from local.standins.transport import serve
from oktalogger.detections.rules.mapped import require_mapped, unmapped_fields
from oktalogger.detections.rules.problems import DetectionsError
from oktalogger.opensearch.client import OpenSearchSettings, make_client
from oktalogger.opensearch.names import IndexNames
from oktalogger.opensearch.templates import month_template
from tests.unit.detections.bundles import counting, detection

if TYPE_CHECKING:
    from collections.abc import Iterator

    from opensearchpy import OpenSearch

NAMES = IndexNames()
FIELD = "oktalogger.debug.dt_hash"
USES_IT = detection(1, fields=("eventType", FIELD))


def mapping(version: int | None = None, *, without: str | None = None, **changes: Any) -> dict[str, Any]:
    """Our mapping, as another version of it may be."""
    body: dict[str, Any] = copy.deepcopy(month_template(NAMES).mappings)
    body["_meta"]["version"] = month_template(NAMES).version if version is None else version
    debug = body["properties"]["oktalogger"]["properties"]["debug"]["properties"]
    debug["dt_hash"] |= changes
    if without:
        del debug[without]
    return json.loads(json.dumps(body))  # type: ignore[no-any-return]


@pytest.fixture
def standin() -> AlertingStandIn:
    return AlertingStandIn()


@pytest.fixture
def client(standin: AlertingStandIn) -> Iterator[OpenSearch]:
    with serve(standin) as url:
        client = make_client(OpenSearchSettings(url=url))
        yield client
        client.close()


def test_a_cluster_with_our_mapping_takes_every_rule(standin: AlertingStandIn, client: OpenSearch) -> None:
    standin.mappings["okta-system-log-2026-11"] = mapping()
    require_mapped(client, NAMES, [USES_IT, counting(2, 3, fields=("eventType", "actor.alternateId"))])


def test_where_nothing_was_loaded_there_is_nothing_to_compare_with(client: OpenSearch) -> None:
    require_mapped(client, NAMES, [detection(1, fields=("no.such.field",))])


def test_an_older_mapping_is_named_with_both_versions_and_what_upgrades_it(
    standin: AlertingStandIn, client: OpenSearch
) -> None:
    standin.mappings["okta-system-log-2026-11"] = mapping(1, without="dt_hash")
    with pytest.raises(DetectionsError) as caught:
        require_mapped(client, NAMES, [USES_IT, detection(2, fields=("eventType",))])
    (problem,) = caught.value.problems
    assert (problem.file, problem.is_warning) == ("rule_1.yml", False)
    for words in (f"`{FIELD}`", "okta-system-log-2026-11 is version 1", f"ours is {month_template(NAMES).version}"):
        assert words in problem.message
    assert "Load a window" in problem.message


def test_the_newest_month_counts(standin: AlertingStandIn, client: OpenSearch) -> None:
    standin.mappings["okta-system-log-2026-09"] = mapping(1, without="dt_hash")
    standin.mappings["okta-system-log-2026-11"] = mapping()
    standin.mappings["okta-system-log-zz-somebody"] = {}
    assert unmapped_fields(client, NAMES, [USES_IT]) == ()


def test_a_mapping_of_our_version_that_somebody_changed(standin: AlertingStandIn, client: OpenSearch) -> None:
    standin.mappings["okta-system-log-2026-11"] = mapping(without="dt_hash")
    (problem,) = unmapped_fields(client, NAMES, [USES_IT])
    assert "Put the field back" in problem.message


def test_what_a_threshold_groups_by_must_be_countable_there(standin: AlertingStandIn, client: OpenSearch) -> None:
    standin.mappings["okta-system-log-2026-11"] = mapping(1, doc_values=False)
    rule = counting(2, 3, fields=(FIELD,))
    assert unmapped_fields(client, NAMES, [rule]) == ()
    grouped = counting(2, 3, fields=(FIELD,)).as_dict() | {
        "threshold": {"counted": None, "group_by": [FIELD], "seconds": 60, "at_least": 3}
    }
    (problem,) = unmapped_fields(client, NAMES, [type(rule).from_dict(grouped)])
    assert "not counted or grouped by" in problem.message
