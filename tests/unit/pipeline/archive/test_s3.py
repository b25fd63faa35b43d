"""An archive in S3, as moto plays it: conditional writes, listing, versions, refusals."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from oktalogger.pipeline.archive.errors import (
    ArchiveMissingError,
    ArchiveRefusedError,
    ArchiveUnavailableError,
)
from oktalogger.pipeline.archive.s3 import S3Store, s3_config

if TYPE_CHECKING:
    from collections.abc import Iterator

boto3 = pytest.importorskip("boto3")
moto = pytest.importorskip("moto")


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    with moto.mock_aws():
        made = boto3.client("s3", region_name="us-east-1", config=s3_config())
        made.create_bucket(Bucket="evidence")
        made.put_bucket_versioning(Bucket="evidence", VersioningConfiguration={"Status": "Enabled"})
        yield made


def test_an_object_is_written_once(client: Any) -> None:
    store = S3Store(client, "evidence", "okta")
    assert store.where == "s3://evidence/okta"
    assert store.put("a/b", b"one")
    assert not store.put("a/b", b"two", by_content=False)
    assert store.get("a/b") == b"one"
    assert client.get_object(Bucket="evidence", Key="okta/a/b")["Body"].read() == b"one"
    with pytest.raises(ArchiveMissingError, match="a/c is not in the archive s3://evidence/okta"):
        store.get("a/c")


def test_names_come_in_order_however_many_there_are(client: Any) -> None:
    store = S3Store(client, "evidence")
    names = [f"a/{number:04d}" for number in range(1100)]
    for name in names:
        client.put_object(Bucket="evidence", Key=name, Body=b"")
    assert list(store.names("a/")) == names
    assert list(store.names("b/")) == []


def test_who_overwrites_or_deletes_is_seen(client: Any) -> None:
    store = S3Store(client, "evidence", "okta")
    for name in ("a/1", "a/2", "a/3"):
        store.put(name, b"1")
    assert list(store.overwritten("a/")) == []
    client.put_object(Bucket="evidence", Key="okta/a/1", Body=b"2")
    client.delete_object(Bucket="evidence", Key="okta/a/3")
    assert sorted(set(store.overwritten("a/"))) == ["a/1", "a/3"]


class Failing:
    """A client whose every call fails in one way."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    def put_object(self, **_: object) -> None:
        raise self.error

    get_object = put_object


def refusal(code: str, status: int) -> Exception:
    from botocore.exceptions import ClientError

    answer: Any = {"Error": {"Code": code, "Message": "why"}, "ResponseMetadata": {"HTTPStatusCode": status}}
    error: Exception = ClientError(answer, "PutObject")
    return error


@pytest.mark.parametrize(
    ("code", "status", "raised", "said"),
    [
        ("SlowDown", 503, ArchiveUnavailableError, "SlowDown, why"),
        ("InternalError", 500, ArchiveUnavailableError, "InternalError"),
        ("ConditionalRequestConflict", 409, ArchiveUnavailableError, "writing a/b"),
        ("NotImplemented", 501, ArchiveRefusedError, "does not know conditional writes"),
        ("AccessDenied", 403, ArchiveRefusedError, "Loads need s3:PutObject"),
        ("NoSuchBucket", 404, ArchiveRefusedError, "Make the bucket"),
    ],
)
def test_a_refusal_says_what_to_do(code: str, status: int, raised: type[Exception], said: str) -> None:
    with pytest.raises(raised, match=said) as found:
        S3Store(Failing(refusal(code, status)), "evidence").put("a/b", b"1")
    assert getattr(found.value, "retryable") is (raised is ArchiveUnavailableError)  # noqa: B009


def test_without_an_answer_it_is_tried_again_and_without_credentials_it_is_not() -> None:
    from botocore.exceptions import EndpointConnectionError, NoCredentialsError

    with pytest.raises(ArchiveUnavailableError, match="EndpointConnectionError"):
        S3Store(Failing(EndpointConnectionError(endpoint_url="https://s3")), "evidence").put("a", b"")
    with pytest.raises(ArchiveRefusedError, match="Give the worker a role"):
        S3Store(Failing(NoCredentialsError()), "evidence").get("a")
