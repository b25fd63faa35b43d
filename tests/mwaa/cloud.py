"""AWS for these tests: a bucket of moto's, and an environment that answers as the API's model allows, no call more."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from deploy.mwaa.bucket import Bucket

if TYPE_CHECKING:
    from pathlib import Path

    from botocore.stub import Stubber

REGION = "eu-central-1"
BUCKET = "oktalogger-mwaa-test"
NAME = "oktalogger"
BEGAN = datetime(2026, 11, 20, tzinfo=UTC)


def described(**fields: Any) -> dict[str, Any]:
    """Describe an environment as AWS does."""
    return {
        "Name": NAME,
        "Status": "AVAILABLE",
        "AirflowVersion": "3.3.1",
        "SourceBucketArn": f"arn:aws:s3:::{BUCKET}",
        "DagS3Path": "dags",
        "WebserverUrl": "airflow.example",
        "LastUpdate": {"Status": "SUCCESS", "CreatedAt": BEGAN},
        **fields,
    }


@dataclass
class Cloud:
    """What a deploy talks to.

    :param s3: a client of moto's S3
    :param mwaa: a client of MWAA that knows only what was announced
    :param stubber: to announce by
    """

    s3: Any
    mwaa: Any
    stubber: Stubber
    said: list[str] = field(default_factory=list)
    updates: list[dict[str, Any]] = field(default_factory=list)
    dags_at_poll: list[list[str]] = field(default_factory=list)

    @property
    def bucket(self) -> Bucket:
        return Bucket(self.s3, BUCKET)

    def objects(self) -> dict[str, tuple[bytes, str]]:
        """Content and version of every object."""
        found = {}
        for entry in self.s3.list_objects_v2(Bucket=BUCKET).get("Contents", []):
            one = self.s3.get_object(Bucket=BUCKET, Key=entry["Key"])
            found[entry["Key"]] = (one["Body"].read(), one["VersionId"])
        return found

    def put(self, key: str, content: bytes) -> None:
        """Store something as somebody else."""
        self.s3.put_object(Bucket=BUCKET, Key=key, Body=content)

    def is_(self, **fields: Any) -> None:
        """Announce one asking for the environment."""
        answer = {"Environment": described(**fields)}
        self.stubber.add_response("get_environment", answer, {"Name": NAME})

    def gets_update(self, *fields: str) -> None:
        """Announce an update of these fields, and that AWS takes a while for it."""
        from botocore.stub import ANY

        arn = f"arn:aws:airflow:{REGION}:123456789012:environment/{NAME}"
        self.stubber.add_response("update_environment", {"Arn": arn}, {"Name": NAME, **dict.fromkeys(fields, ANY)})
        self.is_()  # AWS has not begun yet
        self.is_(Status="UPDATING", LastUpdate={"Status": "PENDING", "CreatedAt": BEGAN + timedelta(days=1)})
        self.is_(LastUpdate={"Status": "SUCCESS", "CreatedAt": BEGAN + timedelta(days=1)})

    def named(self) -> dict[str, str]:
        """What the environment names after the updates so far."""
        return {name: value for update in self.updates for name, value in update.items() if name != "Name"}


def make_cloud() -> Cloud:
    """Make an empty bucket, and a client without an answer."""
    import boto3
    from botocore.stub import Stubber

    s3 = boto3.client("s3", region_name=REGION)
    s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
    s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
    mwaa = boto3.client("mwaa", region_name=REGION)
    cloud = Cloud(s3, mwaa, Stubber(mwaa))
    cloud.stubber.activate()

    def update(params: dict[str, Any], **_: Any) -> None:
        cloud.updates.append(dict(params))

    def poll(**_: Any) -> None:
        cloud.dags_at_poll.append([key for key in cloud.objects() if key.startswith("dags/")])

    mwaa.meta.events.register("before-parameter-build.mwaa.UpdateEnvironment", update)
    mwaa.meta.events.register("before-parameter-build.mwaa.GetEnvironment", poll)
    return cloud


def write_package(folder: Path, **dags: str) -> Path:
    """Write a package with some DAG files."""
    (folder / "dags").mkdir(parents=True, exist_ok=True)
    for name, text in (dags or {"okta_system_log": "one"}).items():
        (folder / "dags" / f"{name}.py").write_text(text)
    (folder / "plugins.zip").write_bytes(b"plugins")
    (folder / "requirements.txt").write_bytes(b"msgspec\n")
    return folder
