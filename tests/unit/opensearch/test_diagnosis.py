"""Which typed error comes of which answer. The bodies are as OpenSearch 2.19, 3.4 and AWS send them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from oktalogger.opensearch.errors import (
    CollectionTypeError,
    IndexBlockedError,
    IndexConflictError,
    IndexMissingError,
    OpenSearchAuthenticationError,
    OpenSearchLoadError,
    OpenSearchPermissionError,
    OpenSearchRequestError,
    OpenSearchUnavailableError,
)
from oktalogger.opensearch.request import send

from .conftest import Answer, Server

if TYPE_CHECKING:
    from opensearchpy import OpenSearch


def refused(client: OpenSearch, server: Server, status: int, body: Any, content_type: str = "") -> OpenSearchLoadError:
    kind = content_type or ("text/plain" if isinstance(body, bytes) else "application/json")
    server.script = [Answer(status, body, kind)]
    with pytest.raises(OpenSearchLoadError) as caught:
        send(client, "POST", "/x", doing="to make the index x", index="x")
    return caught.value


def error(status: int, error_type: str, reason: str) -> dict[str, Any]:
    cause = {"type": error_type, "reason": reason}
    return {"error": {"root_cause": [cause], **cause}, "status": status}


UNMAPPED = (
    "no permissions for [indices:admin/create, indices:admin/get] and User [name=arn:aws:iam::123456789012:role/"
    "loader, backend_roles=[arn:aws:iam::123456789012:role/loader], requestedTenant=null]"
)


def test_an_unmapped_role_is_named(client: OpenSearch, server: Server) -> None:
    got = refused(client, server, 403, error(403, "security_exception", UNMAPPED))
    assert isinstance(got, OpenSearchPermissionError)
    role = "arn:aws:iam::123456789012:role/loader"
    assert (got.user, got.backend_roles) == (role, (role,))
    assert got.permissions == ("indices:admin/create", "indices:admin/get")
    said = str(got)
    assert f"Map the backend role {role} to the role oktalogger_loader, which has indices:admin/create, " in said
    assert "run the DAG okta_opensearch_setup" in said
    assert f'PUT /_plugins/_security/api/rolesmapping/oktalogger_loader {{"backend_roles":["{role}"]}}' in said
    assert not got.retryable


def test_a_permission_may_hold_brackets(client: OpenSearch, server: Server) -> None:
    reason = (
        "no permissions for [indices:data/write/bulk[s], indices:data/write/index] and User [name=loader, "
        "backend_roles=[a, b], requestedTenant=null]"
    )
    got = refused(client, server, 403, error(403, "security_exception", reason))
    assert isinstance(got, OpenSearchPermissionError)
    assert got.permissions == ("indices:data/write/bulk[s]", "indices:data/write/index")
    assert got.backend_roles == ("a", "b")
    assert "Map the backend role a or b to" in str(got)


def test_a_user_without_backend_roles_is_named(client: OpenSearch, server: Server) -> None:
    reason = "no permissions for [indices:admin/get] and User [name=loader, backend_roles=[], requestedTenant=null]"
    got = refused(client, server, 403, error(403, "security_exception", reason))
    assert "Map the user loader to the role oktalogger_loader, which has indices:admin/get" in str(got)
    assert 'rolesmapping/oktalogger_loader {"users":["loader"]}' in str(got)


def unmapped(permission: str) -> Any:
    reason = f"no permissions for [{permission}] and User [name=a, backend_roles=[b], requestedTenant=null]"
    return error(403, "security_exception", reason)


@pytest.mark.parametrize(
    ("permission", "words"),
    [
        ("cluster:admin/opendistro/alerting/monitor/write", "to the role oktalogger_sync"),
        ("indices:admin/index_template/put", "only the DAG okta_opensearch_setup"),
        # The loader's role of version 0.1 had these.
        ("indices:admin/aliases", "only the DAG okta_opensearch_setup"),
        ("indices:admin/mapping/put", "only the DAG okta_opensearch_setup"),
        ("cluster:admin/settings/update", "to a role that has cluster:admin/settings/update (Dashboards:"),
    ],
)
def test_the_role_is_the_one_that_has_the_permission(
    client: OpenSearch, server: Server, permission: str, words: str
) -> None:
    assert words in str(refused(client, server, 403, unmapped(permission)))


def test_the_security_plugins_own_api_is_for_administrators(client: OpenSearch, server: Server) -> None:
    message = (
        "No permission to access REST API: User bob with Security roles [own_index] does not have any role privileged"
    )
    got = refused(client, server, 403, {"status": "FORBIDDEN", "message": f"{message} for admin access."})
    assert isinstance(got, OpenSearchPermissionError)
    assert got.user == "bob"
    assert "Only an administrator" in str(got)


def test_a_collection_that_chooses_ids_itself(client: OpenSearch, server: Server) -> None:
    reason = "Document ID is not supported in create/index operation request"
    got = refused(client, server, 400, error(400, "illegal_argument_exception", reason))
    assert isinstance(got, CollectionTypeError)
    assert "type SEARCH" in str(got)


@pytest.mark.parametrize(
    ("status", "body", "expected", "words"),
    [
        (401, b"Unauthorized", OpenSearchAuthenticationError, "does not know these credentials"),
        (403, {"Message": "User: anonymous is not authorized to perform: es:ESHttpPost"}, OpenSearchPermissionError,
         "access policy of the domain"),
        (403, {"message": "The security token included in the request is expired"}, OpenSearchAuthenticationError,
         "clock of this machine"),
        (403, {"message": "The request signature we calculated does not match the signature you provided."},
         OpenSearchAuthenticationError, "signature"),
        (403, {"message": "Credential should be scoped to a valid region."},
         OpenSearchAuthenticationError, "its region"),
        (404, error(404, "index_not_found_exception", "no such index [x]"), IndexMissingError, "no such index"),
        (404, b"<html>nginx</html>", OpenSearchRequestError, "check that the URL"),
        (405, b"", OpenSearchRequestError, "check that the URL"),
        (400, error(400, "resource_already_exists_exception", "index [x] already exists"), IndexConflictError,
         "OKTALOGGER_INDEX_PREFIX"),
        (400, error(400, "invalid_index_name_exception", "exists as alias"), IndexConflictError, "Move what has"),
        (400, error(400, "illegal_argument_exception", "Validation Failed: 1: expected total copies needs to be a "
         "multiple of total awareness attributes [3];"), OpenSearchRequestError, "OKTALOGGER_REPLICAS"),
        (400, error(400, "validation_exception", "Validation Failed: 1: this action would add [2] total shards, but "
         "this cluster currently has [9]/[9] maximum shards open;"), OpenSearchRequestError, "max_shards_per_node"),
        (429, error(429, "circuit_breaking_exception", "[parent] Data too large"), OpenSearchUnavailableError,
         "too much to do"),
        (429, error(429, "cluster_block_exception", "index [x] blocked by: [TOO_MANY_REQUESTS/12/disk usage exceeded "
         "flood-stage watermark, index has read-only-allow-delete block];"), IndexBlockedError, "free or add space"),
        (403, error(403, "cluster_block_exception", "blocked by: [FORBIDDEN/10/cluster create-index blocked (api)];"),
         IndexBlockedError, "makes no new indices"),
        (403, error(403, "cluster_block_exception", "index [x] blocked by: [FORBIDDEN/8/index write (api)];"),
         IndexBlockedError, "index.blocks"),
        (503, error(503, "cluster_block_exception", "blocked by: [SERVICE_UNAVAILABLE/1/state not recovered];"),
         OpenSearchUnavailableError, "cluster's health"),
        (503, b"OpenSearch Security not initialized.", OpenSearchUnavailableError, "not initialized"),
        (502, b"<html>Bad Gateway</html>", OpenSearchUnavailableError, "Bad Gateway"),
        (500, error(500, "null_pointer_exception", "oops"), OpenSearchUnavailableError, "null_pointer_exception"),
    ],
)  # fmt: skip
def test_each_answer_has_its_error(
    client: OpenSearch, server: Server, status: int, body: Any, expected: type[OpenSearchLoadError], words: str
) -> None:
    got = refused(client, server, status, body)
    assert type(got) is expected
    assert words in str(got)
    assert "to make the index x" in str(got)
    assert (got.status, got.index) == (status, "x")


def test_a_long_answer_is_cut(client: OpenSearch, server: Server) -> None:
    got = refused(client, server, 502, b"<p>\n" * 50_000)
    assert len(str(got)) < 1500
    assert "\n" not in str(got)


def test_json_that_is_no_error_of_opensearch(client: OpenSearch, server: Server) -> None:
    for body in ({"error": "nope"}, {"detail": [1]}, [1, 2]):
        got = refused(client, server, 400, json.dumps(body).encode(), "application/json")
        assert isinstance(got, OpenSearchRequestError)


@pytest.mark.parametrize("body", [b"<html>413 Request Entity Too Large</html>", b""])
def test_a_request_that_is_too_large_gets_advice_about_its_size(
    client: OpenSearch, server: Server, body: bytes
) -> None:
    said = str(refused(client, server, 413, body, "text/html"))
    assert "http.max_content_length" in said
    assert "URL" not in said, "what answers is OpenSearch, or the proxy that belongs there"
