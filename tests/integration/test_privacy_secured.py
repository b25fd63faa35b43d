"""Privacy on the real security plugin: an administrator erases a person, and a masked analyst sees nobody."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from oktalogger.opensearch.client import OpenSearchSettings, make_client
from oktalogger.opensearch.diagnosis import MAPPINGS_API
from oktalogger.opensearch.errors import OpenSearchPermissionError
from oktalogger.opensearch.request import call
from oktalogger.opensearch.roles import MASKED_ANALYST, masked_analyst
from oktalogger.opensearch.setup.security import ROLES_API
from oktalogger.opensearch.store import OpenSearchStore
from oktalogger.pipeline.document import Built, DocumentBuilder, Stamp
from oktalogger.pipeline.erase import erase
from oktalogger.window import Window
from tests.indices import own_names
from tests.integration.people import PASSWORD, SECURITY
from tests.integration.test_erase import ID, MONTH, everything, filled, naming
from tests.unit.privacy import events

if TYPE_CHECKING:
    from opensearchpy import OpenSearch

    from oktalogger.opensearch.names import IndexNames

__all__ = ["filled"]
pytestmark = pytest.mark.opensearch

AT = datetime(2026, 11, 23, 10, tzinfo=UTC)


@pytest.fixture(scope="module")
def client(opensearch_secure: Any) -> Iterator[OpenSearch]:
    """The administrator."""
    found = make_client(
        OpenSearchSettings(
            url=opensearch_secure.url,
            username=opensearch_secure.username,
            password=opensearch_secure.password,
            ca_certs=str(opensearch_secure.ca),
        )
    )
    yield found
    found.close()


@pytest.fixture
def names(client: OpenSearch) -> Iterator[IndexNames]:
    with own_names(client) as found:
        yield found


@pytest.fixture
def masked(opensearch_secure: Any, client: OpenSearch, names: IndexNames) -> Iterator[OpenSearch]:
    """A user who has the role and no other."""
    user = f"masked-{uuid.uuid4().hex[:8]}"
    doing = "to make a masked analyst"
    call(client, "PUT", f"{SECURITY}/internalusers/{user}", doing=doing, body={"password": PASSWORD})
    call(client, "PUT", f"{ROLES_API}/{MASKED_ANALYST}", doing=doing, body=masked_analyst(names.prefix))
    call(client, "PUT", f"{MAPPINGS_API}/{MASKED_ANALYST}", doing=doing, body={"users": [user]})
    found = make_client(
        OpenSearchSettings(
            url=opensearch_secure.url, username=user, password=PASSWORD, ca_certs=str(opensearch_secure.ca)
        )
    )
    yield found
    found.close()
    for path in (
        f"{MAPPINGS_API}/{MASKED_ANALYST}",
        f"{ROLES_API}/{MASKED_ANALYST}",
        f"{SECURITY}/internalusers/{user}",
    ):
        call(client, "DELETE", path, doing="to clean up")


def test_an_administrator_erases_a_person(client: OpenSearch, names: IndexNames, filled: list[dict[str, Any]]) -> None:
    done = erase(client, names, ID, dry_run=False)
    assert done.found[f"{names.prefix}-{MONTH}"] == 16
    assert (done.left, done.unseen) == ({}, [])
    assert naming(client, names) == []
    months = [key for key in everything(client, names) if key.startswith(f"{names.prefix}-{MONTH}/")]
    assert len(months) == len(filled)


def test_a_masked_analyst_sees_what_happened_and_not_to_whom(
    client: OpenSearch, names: IndexNames, masked: OpenSearch
) -> None:
    store = OpenSearchStore(client, names)
    store.prepare()
    store.ensure_month(AT)
    builder = DocumentBuilder(Stamp("acme.okta.com", Window(AT, AT + timedelta(hours=1)), "r", "scheduled"), names)
    built = [builder.build(events.raw(uuid=f"u{number}"), datetime.now(UTC)) for number in range(3)]
    store.create([one.document for one in built if isinstance(one, Built)])
    client.indices.refresh(index=names.alias)
    hits = masked.search(index=names.alias, body={"size": 10})["hits"]["hits"]
    assert len(hits) == 3
    text = json.dumps(hits, ensure_ascii=False)
    seen = [value for values in events.PLANTED.values() for value in values if value in text]
    assert seen == []
    source = hits[0]["_source"]
    assert source["eventType"] == "user.session.start"
    assert source["oktalogger"]["target"]["group"]["display_name"] == ["Admins"]
    assert source["actor"]["id"] == "00u1"
    assert len({hit["_source"]["actor"]["alternateId"] for hit in hits}) == 1, "hashes go on joining"
    body = {"size": 0, "aggs": {"who": {"terms": {"field": "actor.alternateId"}}}}
    [bucket] = masked.search(index=names.alias, body=body)["aggregations"]["who"]["buckets"]
    assert bucket["doc_count"] == 3
    assert events.MAIL not in bucket["key"]
    for field, value in (("actor.alternateId", events.MAIL), ("client.ipAddress", events.ADDRESS)):
        guess = masked.search(index=names.alias, body={"query": {"term": {field: value}}})
        assert guess["hits"]["total"]["value"] == 0, f"{field} cannot be guessed by searching"
    for index in (names.rejected, "okta-detection-matches"):
        with pytest.raises(OpenSearchPermissionError):
            call(masked, "GET", f"/{index}/_search", doing="to look where it may not")
