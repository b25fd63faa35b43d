"""Log-in and rights against a real OpenSearch with the security plugin."""

from __future__ import annotations

import json
import re
import uuid
from typing import TYPE_CHECKING, Any

import pytest

from oktalogger.opensearch.bulk import Document
from oktalogger.opensearch.client import OpenSearchSettings, make_client
from oktalogger.opensearch.errors import (
    OpenSearchAuthenticationError,
    OpenSearchLoadError,
    OpenSearchPermissionError,
    OpenSearchTlsError,
)
from oktalogger.opensearch.names import IndexNames
from oktalogger.opensearch.request import call
from oktalogger.opensearch.schema import ensure_month, ensure_schema
from oktalogger.opensearch.store import OpenSearchStore
from tests.indices import own_names

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from opensearchpy import OpenSearch

    Grant = Callable[[list[str], list[str]], None]

pytestmark = pytest.mark.opensearch

# The rights that the docstrings of schema.py and bulk.py name.
CLUSTER = [
    "indices:admin/index_template/get",
    "indices:admin/index_template/put",
    "indices:admin/index_template/simulate_index",
    "indices:data/write/bulk",
]
INDEX = [
    "indices:admin/get",
    "indices:admin/create",
    "indices:admin/mapping/put",
    "indices:data/write/bulk*",
    "indices:data/write/index",
]
PASSWORD = "Lö😀der-Passw0rd-9x"


SECURITY = "/_plugins/_security/api"


@pytest.fixture(scope="module")
def user() -> str:
    """Not the prefix of an index: the role own_index gives everybody everything on the index of his own name."""
    return f"user-{uuid.uuid4().hex[:10]}"


@pytest.fixture(scope="module")
def admin(opensearch_secure: Any, user: str) -> Iterator[OpenSearch]:
    client = make_client(
        OpenSearchSettings(
            url=opensearch_secure.url,
            username=opensearch_secure.username,
            password=opensearch_secure.password,
            ca_certs=str(opensearch_secure.ca),
        )
    )
    yield client
    for path in (f"rolesmapping/{user}", f"roles/{user}", f"internalusers/{user}"):
        client.transport.perform_request("DELETE", f"{SECURITY}/{path}", params={"ignore": 404})
    client.close()


@pytest.fixture(scope="module")
def loader(opensearch_secure: Any, admin: OpenSearch, user: str) -> Iterator[OpenSearch]:
    """A user with a role that has no right yet."""
    body: dict[str, Any] = {"password": PASSWORD, "backend_roles": ["loaders"]}
    call(admin, "PUT", f"{SECURITY}/internalusers/{user}", doing="to make a user", body=body)
    call(admin, "PUT", f"{SECURITY}/roles/{user}", doing="to make a role", body={"cluster_permissions": []})
    call(admin, "PUT", f"{SECURITY}/rolesmapping/{user}", doing="to map it", body={"users": [user]})
    client = make_client(
        OpenSearchSettings(
            url=opensearch_secure.url, username=user, password=PASSWORD, ca_certs=str(opensearch_secure.ca)
        )
    )
    yield client
    client.close()


@pytest.fixture
def names(admin: OpenSearch) -> Iterator[IndexNames]:
    with own_names(admin) as names:
        yield names


@pytest.fixture
def grant(loader: OpenSearch, admin: OpenSearch, names: IndexNames, user: str) -> Grant:
    def give(cluster: list[str], index: list[str]) -> None:
        patterns = [names.alias, f"{names.prefix}-*"]
        role = {
            "cluster_permissions": cluster,
            "index_permissions": [{"index_patterns": patterns, "allowed_actions": index}],
        }
        call(admin, "PUT", f"{SECURITY}/roles/{user}", doing="to change a role", body=role)

    return give


def load(client: OpenSearch, names: IndexNames) -> None:
    index = f"{names.prefix}-2026-11"
    ensure_schema(client, names)
    ensure_month(client, names, index)
    store = OpenSearchStore(client, names)
    good = json.dumps({"uuid": "good", "published": "2026-11-23T10:00:00Z"}).encode()
    result = store.create([Document("good", index, good), Document("bad", index, b'{"published": "x"}')])
    assert len(result.rejected) == 1
    store.reject(result.rejected, context={"org": "o"})


def test_the_rights_that_we_name_are_enough(
    loader: OpenSearch, admin: OpenSearch, names: IndexNames, grant: Grant
) -> None:
    grant(CLUSTER, INDEX)
    load(loader, names)
    load(loader, names)
    admin.indices.refresh(index=f"{names.prefix}*")
    assert admin.count(index=names.alias)["count"] == 1
    assert admin.count(index=names.rejected)["count"] == 1
    for method in ("GET", "DELETE"):
        with pytest.raises(OpenSearchPermissionError):
            call(loader, method, f"/{names.prefix}-2026-11/_doc/good", doing="to show or remove an event")


def behind(admin: OpenSearch, names: IndexNames) -> dict[str, Any]:
    return {index: entry["aliases"][names.alias] for index, entry in admin.indices.get_alias(name=names.alias).items()}


def copied_behind_the_alias(admin: OpenSearch, names: IndexNames, copy: str) -> None:
    """Make an index as restoring a snapshot of a month under another name does."""
    month = f"{names.prefix}-2026-11"
    body = {
        "aliases": {names.alias: {"is_write_index": False}},
        "mappings": admin.indices.get_mapping(index=month)[month]["mappings"],
        "settings": {"number_of_replicas": 0},
    }
    admin.indices.create(index=copy, body=body)


def test_a_login_with_the_right_on_the_alias_takes_copies_of_any_name_from_behind_it(
    loader: OpenSearch, admin: OpenSearch, names: IndexNames, grant: Grant
) -> None:
    """The right on the alias is enough, also if there is none on the copy."""
    grant(CLUSTER, [*INDEX, "indices:admin/aliases"])
    load(loader, names)
    month, copy, elsewhere = f"{names.prefix}-2026-11", f"{names.prefix}-2026-11-restored", f"restored-{names.prefix}"
    copied_behind_the_alias(admin, names, copy)
    copied_behind_the_alias(admin, names, elsewhere)
    add = {"index": month, "alias": names.alias, "filter": {"match_all": {}}}
    admin.indices.update_aliases(body={"actions": [{"add": add}]})
    try:
        repaired = ensure_schema(loader, names).repaired
        assert len(repaired) == 3
        assert all(any(index in said for said in repaired) for index in (elsewhere, month, copy))
        assert behind(admin, names) == {month: {"is_write_index": False}}
        load(loader, names)
        assert admin.indices.exists(index=f"{copy},{elsewhere}"), "their documents stay"
    finally:
        admin.indices.delete(index=elsewhere)


def test_a_login_that_may_not_change_aliases_names_the_copy_and_loads_all_the_same(
    loader: OpenSearch, admin: OpenSearch, names: IndexNames, grant: Grant
) -> None:
    grant(CLUSTER, INDEX)
    load(loader, names)
    copy = f"{names.prefix}-2026-11-restored"
    copied_behind_the_alias(admin, names, copy)
    report = ensure_schema(loader, names)
    assert report.repaired == ()
    [said] = [sentence for sentence in report.troubles if copy in sentence]
    assert "This login may not change that" in said
    assert "okta_opensearch_setup" in said
    load(loader, names)
    assert any(copy in sentence for sentence in ensure_schema(admin, names).repaired)
    assert list(behind(admin, names)) == [f"{names.prefix}-2026-11"]


# Left out: the right to change a mapping, which is for upgrades, and that to bulk, which everybody has by default.
@pytest.mark.parametrize("missing", [*CLUSTER[:3], *(right for right in INDEX if "mapping" not in right)])
def test_each_of_them_is_needed_and_named_where_it_is_missing(
    loader: OpenSearch, names: IndexNames, grant: Grant, missing: str
) -> None:
    grant([right for right in CLUSTER if right != missing], [right for right in INDEX if right != missing])
    with pytest.raises(OpenSearchPermissionError) as caught:
        load(loader, names)
    assert any(permission.startswith(missing.rstrip("*")) for permission in caught.value.permissions)
    named = r"[Mm]ap the backend role loaders to (the role oktalogger_\w+, which has|a role that has) "
    assert re.search(named, str(caught.value))
    assert not caught.value.retryable


def test_an_unmapped_certificate_is_named(opensearch_secure: Any, admin: OpenSearch, names: IndexNames) -> None:
    folder = opensearch_secure.certificates
    client = make_client(
        OpenSearchSettings(
            url=opensearch_secure.url,
            ca_certs=str(opensearch_secure.ca),
            client_cert=str(folder / "loader.pem"),
            client_key=str(folder / "loader-key.pem"),
        )
    )
    with pytest.raises(OpenSearchLoadError) as caught:
        ensure_schema(client, names)
    assert isinstance(caught.value, OpenSearchPermissionError)
    assert "loader" in (caught.value.user or "")
    client.close()


def test_a_wrong_password(opensearch_secure: Any, names: IndexNames) -> None:
    settings = OpenSearchSettings(
        url=opensearch_secure.url, username="admin", password="wrong", ca_certs=str(opensearch_secure.ca)
    )
    with pytest.raises(OpenSearchAuthenticationError) as caught:
        ensure_schema(make_client(settings), names)
    assert "wrong" not in str(caught.value)


def test_an_authority_that_is_not_trusted(opensearch_secure: Any, names: IndexNames) -> None:
    settings = OpenSearchSettings(url=opensearch_secure.url, username="a", password="b")
    with pytest.raises(OpenSearchTlsError):
        ensure_schema(make_client(settings), names)
