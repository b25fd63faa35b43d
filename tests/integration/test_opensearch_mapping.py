"""The mapping that a cluster has, read from a real OpenSearch, and what it means for rules."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

import pytest

from oktalogger.detections.rules.mapped import unmapped_fields
from oktalogger.opensearch.mapping import newest_mapping
from oktalogger.opensearch.schema import ensure_month, ensure_schema
from oktalogger.opensearch.templates import month_template
from tests.unit.detections.bundles import detection

if TYPE_CHECKING:
    from opensearchpy import OpenSearch

    from oktalogger.opensearch.names import IndexNames

pytestmark = pytest.mark.opensearch

RULE = detection(1, fields=("eventType", "oktalogger.debug.dt_hash"))


def test_before_the_first_load_there_is_none(client: OpenSearch, names: IndexNames) -> None:
    assert newest_mapping(client, names) is None
    ensure_schema(client, names)
    assert newest_mapping(client, names) is None
    assert unmapped_fields(client, names, [RULE]) == ()


def test_a_cluster_of_an_older_version_lacks_a_field_until_a_load_upgrades_it(
    client: OpenSearch, names: IndexNames
) -> None:
    ours = month_template(names)
    old = copy.deepcopy(ours.body)
    old["version"] = old["_meta"]["version"] = old["template"]["mappings"]["_meta"]["version"] = ours.version - 1
    del old["template"]["mappings"]["properties"]["oktalogger"]["properties"]["debug"]["properties"]["dt_hash"]
    client.indices.put_index_template(name=names.template, body=old)
    for month in ("2026-10", "2026-11"):
        index = f"{names.prefix}-{month}"
        client.indices.create(index=index, body={"aliases": {names.alias: {}, names.write_alias(index): {}}})
    found = newest_mapping(client, names)
    assert found is not None
    assert (found.index, found.version) == (f"{names.prefix}-2026-11", ours.version - 1)
    (problem,) = unmapped_fields(client, names, [RULE])
    assert f"is version {ours.version - 1}, ours is {ours.version}" in problem.message

    ensure_schema(client, names)
    ensure_month(client, names, f"{names.prefix}-2026-11")
    assert unmapped_fields(client, names, [RULE]) == ()
