"""A deploy changes what differs, in the order in which it works, and nothing that is somebody else's."""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING, Any

import pytest

from deploy.mwaa import __main__ as command
from deploy.mwaa.aws import MwaaError, client
from deploy.mwaa.deploy import deploy
from deploy.mwaa.environment import Environment, read_environment, wait_for_update
from deploy.mwaa.package import make_package
from local.paths import ROOT
from tests.mwaa.cloud import BEGAN, BUCKET, NAME, REGION, Cloud, described, make_cloud, write_package

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PLUGINS = ("PluginsS3Path", "PluginsS3ObjectVersion")
REQUIREMENTS = ("RequirementsS3Path", "RequirementsS3ObjectVersion")
STARTUP = ("StartupScriptS3Path", "StartupScriptS3ObjectVersion")


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloud]:
    from moto import mock_aws

    monkeypatch.setattr("deploy.mwaa.environment.POLL_EVERY", 0)
    with mock_aws():
        made = make_cloud()
        yield made
        made.stubber.assert_no_pending_responses()


@pytest.fixture
def package(tmp_path: Path) -> Path:
    return write_package(tmp_path / "package", okta_system_log="one", okta_detections="two")


def run(cloud: Cloud, package: Path, **options: Any) -> bool:
    return deploy(cloud.mwaa, cloud.bucket, NAME, package=package, say=cloud.said.append, **options)


@pytest.fixture
def deployed(cloud: Cloud, package: Path) -> Cloud:
    cloud.is_()
    cloud.gets_update(*PLUGINS, *REQUIREMENTS)
    assert run(cloud, package)
    return cloud


def test_a_first_deploy_brings_all_of_it_and_the_dags_last(deployed: Cloud) -> None:
    found = deployed.objects()
    assert {key: content for key, (content, _) in found.items()} == {
        "dags/okta_detections.py": b"two",
        "dags/okta_system_log.py": b"one",
        "plugins.zip": b"plugins",
        "requirements.txt": b"msgspec\n",
    }
    assert deployed.named() == {
        "PluginsS3Path": "plugins.zip",
        "PluginsS3ObjectVersion": found["plugins.zip"][1],
        "RequirementsS3Path": "requirements.txt",
        "RequirementsS3ObjectVersion": found["requirements.txt"][1],
    }
    # A new DAG file on old plugins would be an import error for as long as the update takes.
    assert deployed.dags_at_poll == [[]] * 4


def test_a_second_deploy_of_the_same_changes_nothing(deployed: Cloud, package: Path) -> None:
    before = deployed.objects()
    deployed.is_(**deployed.named())
    assert run(deployed, package)
    assert deployed.objects() == before
    assert len(deployed.updates) == 1
    assert "nothing: the environment has all of the package" in deployed.said[-1]


def test_a_changed_dag_needs_no_update(deployed: Cloud, package: Path) -> None:
    (package / "dags" / "okta_system_log.py").write_text("changed")
    before = deployed.objects()
    deployed.is_(**deployed.named())
    assert run(deployed, package)
    after = deployed.objects()
    assert {key for key in after if after[key] != before[key]} == {"dags/okta_system_log.py"}
    assert len(deployed.updates) == 1


def test_a_changed_part_is_the_only_one_that_the_update_names(deployed: Cloud, package: Path) -> None:
    (package / "plugins.zip").write_bytes(b"newer")
    deployed.is_(**deployed.named())
    deployed.gets_update(*PLUGINS)
    assert run(deployed, package)
    assert deployed.updates[-1]["PluginsS3ObjectVersion"] == deployed.objects()["plugins.zip"][1]


def test_an_environment_that_names_an_older_version_is_updated_without_an_upload(
    deployed: Cloud, package: Path
) -> None:
    before = deployed.objects()
    deployed.is_(**deployed.named() | {"RequirementsS3ObjectVersion": "an older one"})
    deployed.gets_update(*REQUIREMENTS)
    assert run(deployed, package)
    assert deployed.objects() == before
    assert deployed.updates[-1]["RequirementsS3ObjectVersion"] == before["requirements.txt"][1]


def test_a_startup_script_comes_along_under_the_key_that_the_environment_names(cloud: Cloud, package: Path) -> None:
    (package / "startup.sh").write_text("export OKTALOGGER_SHARDS=2\n")
    cloud.is_(StartupScriptS3Path="scripts/begin.sh", StartupScriptS3ObjectVersion="v0", DagS3Path="team/dags/")
    cloud.gets_update(*PLUGINS, *REQUIREMENTS, *STARTUP)
    assert run(cloud, package)
    found = cloud.objects()
    assert cloud.updates[0]["StartupScriptS3ObjectVersion"] == found["scripts/begin.sh"][1]
    assert "team/dags/okta_system_log.py" in found


def test_only_our_own_file_is_deleted(deployed: Cloud, package: Path) -> None:
    deployed.put("dags/okta_of_another_team.py", b"theirs")
    deployed.put("dags/sales.py", b"theirs")
    deployed.put("dags/okta_folder/okta_deep.py", b"theirs")
    (package / "dags" / "okta_detections.py").unlink()
    deployed.is_(**deployed.named())
    assert run(deployed, package)
    assert sorted(key for key in deployed.objects() if key.startswith("dags/")) == [
        "dags/okta_folder/okta_deep.py",
        "dags/okta_of_another_team.py",
        "dags/okta_system_log.py",
        "dags/sales.py",
    ]


def test_a_file_of_ours_that_somebody_has_replaced_is_not_deleted(deployed: Cloud, package: Path) -> None:
    deployed.put("dags/okta_detections.py", b"theirs now")
    (package / "dags" / "okta_detections.py").unlink()
    deployed.is_(**deployed.named())
    assert run(deployed, package)
    assert deployed.objects()["dags/okta_detections.py"][0] == b"theirs now"


@pytest.mark.parametrize("key", ["plugins.zip", "requirements.txt", "dags/okta_system_log.py"])
def test_what_somebody_else_has_put_there_is_not_replaced(cloud: Cloud, package: Path, key: str) -> None:
    cloud.put(key, b"theirs")
    before = cloud.objects()
    cloud.is_()
    with pytest.raises(MwaaError, match=rf"{key}.*--dags-only.*--replace"):
        run(cloud, package)
    assert cloud.objects() == before
    cloud.is_()
    cloud.gets_update(*PLUGINS, *REQUIREMENTS)
    assert run(cloud, package, replace=True)
    assert cloud.objects()[key][0] != b"theirs"


def test_what_is_there_already_with_the_same_content_may_be_anybody_s(cloud: Cloud, package: Path) -> None:
    cloud.put("plugins.zip", b"plugins")
    before = cloud.objects()
    cloud.is_()
    cloud.gets_update(*PLUGINS, *REQUIREMENTS)
    assert run(cloud, package)
    assert cloud.objects()["plugins.zip"] == before["plugins.zip"]


def test_dags_only_leaves_the_rest_alone(cloud: Cloud, package: Path) -> None:
    cloud.put("plugins.zip", b"theirs")
    cloud.is_(PluginsS3Path="plugins.zip", PluginsS3ObjectVersion="v1")
    assert run(cloud, package, dags_only=True)
    assert sorted(cloud.objects()) == ["dags/okta_detections.py", "dags/okta_system_log.py", "plugins.zip"]
    assert cloud.objects()["plugins.zip"][0] == b"theirs"


def test_a_dry_run_says_all_and_changes_nothing(deployed: Cloud, package: Path) -> None:
    (package / "plugins.zip").write_bytes(b"newer")
    (package / "dags" / "okta_detections.py").unlink()
    (package / "dags" / "okta_new.py").write_text("new")
    before = deployed.objects()
    deployed.is_(**deployed.named())
    deployed.said.clear()
    assert not run(deployed, package, dry_run=True)
    assert [line.strip() for line in deployed.said[1:]] == [
        "replace plugins.zip",
        f"update {NAME}, which takes 20 to 30 minutes and restarts its workers",
        "add dags/okta_new.py",
        "delete dags/okta_detections.py",
    ]
    assert deployed.objects() == before
    assert len(deployed.updates) == 1


def test_without_waiting_the_dags_come_with_the_next_run(cloud: Cloud, package: Path) -> None:
    cloud.is_()
    cloud.stubber.add_response("update_environment", {"Arn": "arn:aws:airflow:x:1:environment/x"}, None)
    assert not run(cloud, package, wait=False)
    assert not [key for key in cloud.objects() if key.startswith("dags/")]
    cloud.is_(**cloud.named())
    assert run(cloud, package, wait=False)
    assert "dags/okta_system_log.py" in cloud.objects()


def test_a_failed_update_says_why_and_brings_no_dag(cloud: Cloud, package: Path) -> None:
    cloud.is_()
    cloud.stubber.add_response("update_environment", {"Arn": "arn:aws:airflow:x:1:environment/x"}, None)
    error = {"ErrorCode": "INCORRECT_CONFIGURATION", "ErrorMessage": "You may need to check the execution role"}
    cloud.is_(
        Status="UPDATE_FAILED", LastUpdate={"Status": "FAILED", "CreatedAt": BEGAN.replace(day=21), "Error": error}
    )
    with pytest.raises(MwaaError, match=r"INCORRECT_CONFIGURATION.*execution role.*requirements_install"):
        run(cloud, package)
    assert not [key for key in cloud.objects() if key.startswith("dags/")]


def test_an_update_that_never_ends_is_an_error(cloud: Cloud) -> None:
    slept: list[float] = []
    for _ in range(5):
        cloud.is_(Status="UPDATING")
    with pytest.raises(MwaaError, match="still not updated after 2 minutes"):
        try_waiting(cloud, slept)
    assert sum(slept) == 150


def try_waiting(cloud: Cloud, slept: list[float]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("deploy.mwaa.environment.POLL_EVERY", 30)
        wait_for_update(
            cloud.mwaa, Environment(NAME, described()), say=cloud.said.append, sleep=slept.append, timeout=120
        )


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"Status": "UPDATING"}, "is UPDATING. Wait until it is AVAILABLE"),
        ({"Status": "CREATE_FAILED"}, "is CREATE_FAILED. Look at it"),
        ({"SourceBucketArn": "arn:aws:s3:::another"}, f"reads the bucket another, not {BUCKET}"),
    ],
)
def test_an_environment_that_is_not_fit_is_refused(
    cloud: Cloud, package: Path, fields: dict[str, Any], says: str
) -> None:
    cloud.is_(**fields)
    with pytest.raises(MwaaError, match=says):
        run(cloud, package)
    assert cloud.objects() == {}


def test_an_environment_that_rolled_back_may_be_mended(cloud: Cloud, package: Path) -> None:
    cloud.is_(Status="UPDATE_FAILED")
    cloud.gets_update(*PLUGINS, *REQUIREMENTS)
    assert run(cloud, package)


def test_a_bucket_without_versions_is_refused(cloud: Cloud, package: Path) -> None:
    cloud.s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Suspended"})
    cloud.is_()
    with pytest.raises(MwaaError, match="put-bucket-versioning"):
        run(cloud, package)


@pytest.mark.parametrize("gone", ["plugins.zip", "requirements.txt", "dags/okta_system_log.py"])
def test_half_a_package_is_refused(cloud: Cloud, tmp_path: Path, gone: str) -> None:
    package = write_package(tmp_path / "half")
    (package / gone).unlink()
    cloud.is_()
    with pytest.raises(MwaaError, match="make mwaa-package"):
        run(cloud, package)


def test_a_file_that_would_be_left_behind_is_refused(cloud: Cloud, package: Path) -> None:
    (package / "dags" / "helpers.py").write_text("")
    cloud.is_()
    with pytest.raises(MwaaError, match=r"helpers\.py"):
        run(cloud, package)


@pytest.mark.parametrize(
    ("code", "says"),
    [
        ("ResourceNotFoundException", f"There is no environment {NAME} in {REGION}"),
        ("AccessDeniedException", "airflow:GetEnvironment"),
        ("ExpiredTokenException", "Log in again"),
        ("ValidationException", "ValidationException: because"),
    ],
)
def test_what_aws_refuses_is_explained(cloud: Cloud, package: Path, code: str, says: str) -> None:
    cloud.stubber.add_client_error("get_environment", code, "because")
    with pytest.raises(MwaaError, match=says):
        run(cloud, package)


def test_without_credentials_or_region_it_says_what_to_set(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(MwaaError, match="AWS_REGION"):
        client("mwaa")
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(MwaaError, match="aws sso login"):
        read_environment(client("mwaa", REGION), NAME)


def test_the_command_deploys_and_makes_the_pool(
    cloud: Cloud, package: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    clients = {"mwaa": cloud.mwaa, "s3": cloud.s3}
    monkeypatch.setattr(command, "client", lambda service, region: clients[service])
    cloud.is_()
    cloud.gets_update(*PLUGINS, *REQUIREMENTS)
    missing = {"RestApiStatusCode": 404, "RestApiResponse": {"detail": "Pool not found"}}
    cloud.stubber.add_client_error("invoke_rest_api", "RestApiClientException", modeled_fields=missing)
    cloud.stubber.add_response(
        "invoke_rest_api",
        {"RestApiStatusCode": 200, "RestApiResponse": {"name": "okta_api"}},
        {
            "Name": NAME,
            "Method": "POST",
            "Path": "/pools",
            "Body": {"name": "okta_api", "slots": 4, "description": "Tasks that ask Okta"},
        },
    )
    arguments = ["deploy", "--bucket", BUCKET, "--environment", NAME, "--package", str(package)]
    assert command.main(arguments) == 0
    assert "made the pool okta_api" in capsys.readouterr().err


def test_what_make_mwaa_package_makes_is_deployed_whole(cloud: Cloud, tmp_path: Path) -> None:
    startup = tmp_path / "startup.sh"
    startup.write_text("export OKTALOGGER_SHARDS=2\n")
    files = make_package(ROOT, tmp_path / "made", startup=startup)
    cloud.is_()
    cloud.gets_update(*PLUGINS, *REQUIREMENTS, *STARTUP)
    assert run(cloud, tmp_path / "made")
    made = {str(path.relative_to(tmp_path / "made")): path.read_bytes() for path in files}
    assert {key: content for key, (content, _) in cloud.objects().items()} == made


def test_the_commands_in_the_docs_are_such_as_the_parser_takes() -> None:
    text = (ROOT / "docs" / "mwaa.md").read_text().replace("\\\n", " ")
    lines = re.findall(r"^PYTHONPATH=plugins \S+python -m deploy\.mwaa (.*)$", text, re.MULTILINE)
    for target, options in re.findall(r"^make mwaa-(deploy|backfill) .*OPTIONS=(\"--.*?\"|--\S+)$", text, re.MULTILINE):
        needed = {"deploy": "--bucket B", "backfill": "--from T"}[target]
        lines.append(f"{target} --environment E {needed} {options.strip(chr(34))}")
    assert len(lines) >= 3
    for line in lines:
        command.build_parser().parse_args(shlex.split(line))
