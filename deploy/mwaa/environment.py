"""Describes an environment of Amazon MWAA and its files, and waits for its updates."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from deploy.mwaa.aws import MwaaError, aws_errors

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

UPDATE_TIMEOUT: Final = 90 * 60
"""Seconds. An update usually takes 20 to 30 minutes; one that fails is rolled back, which takes as long again."""
POLL_EVERY: Final = 30  # seconds
# In the second one an update failed and the environment runs as before (API reference, Environment: Status).
READY: Final = ("AVAILABLE", "UPDATE_FAILED")
_PASSING: Final = ("CREATING", "CREATING_SNAPSHOT", "UPDATING", "ROLLING_BACK", "MAINTENANCE", "PENDING")


@dataclass(frozen=True, slots=True)
class Part:
    """A file of the package of which the environment names one version.

    :param file: its name in the package, and its key in the bucket if the environment names none
    :param path_field: the API's name for its key
    :param version_field: the API's name for its version
    """

    file: str
    path_field: str
    version_field: str


PARTS: Final = (
    Part("plugins.zip", "PluginsS3Path", "PluginsS3ObjectVersion"),
    Part("requirements.txt", "RequirementsS3Path", "RequirementsS3ObjectVersion"),
    Part("startup.sh", "StartupScriptS3Path", "StartupScriptS3ObjectVersion"),
)


@dataclass(frozen=True, slots=True)
class Environment:
    """An environment as AWS describes it.

    :param name: its name
    :param described: the API's ``Environment``
    """

    name: str
    described: Mapping[str, Any]

    @property
    def status(self) -> str:
        """``AVAILABLE`` and the like."""
        return str(self.described["Status"])

    @property
    def airflow_version(self) -> tuple[int, ...]:
        """The version of its Airflow."""
        return tuple(map(int, self.described["AirflowVersion"].split(".")))

    @property
    def bucket(self) -> str:
        """The bucket with its files."""
        return str(self.described["SourceBucketArn"]).rpartition(":")[2]

    @property
    def dags(self) -> str:
        """The folder of its DAGs in the bucket, without a slash at either end."""
        return str(self.described.get("DagS3Path") or "dags").strip("/")

    @property
    def url(self) -> str:
        """The address of Airflow's web page."""
        return f"https://{self.described.get('WebserverUrl', '')}"

    @property
    def updated_at(self) -> Any:
        """The time at which its last update began; None before the first."""
        return self.described.get("LastUpdate", {}).get("CreatedAt")

    def key(self, part: Part) -> str:
        """The key of one of its files."""
        return str(self.described.get(part.path_field) or part.file)

    def version(self, part: Part) -> str | None:
        """The version of one of its files that it runs; None if it runs none."""
        found = self.described.get(part.version_field) if self.described.get(part.path_field) else None
        return str(found) if found else None


def read_environment(mwaa: Any, name: str) -> Environment:
    """Ask AWS about an environment.

    :param mwaa: a client
    :param name: its name
    :raises MwaaError: if there is none, or AWS refuses
    """
    from botocore.exceptions import ClientError

    with aws_errors(f"read the environment {name}"):
        try:
            return Environment(name, mwaa.get_environment(Name=name)["Environment"])
        except ClientError as error:
            if error.response["Error"]["Code"] != "ResourceNotFoundException":
                raise
            raise MwaaError(
                f"There is no environment {name} in {mwaa.meta.region_name}. Check name, region and account."
            ) from error


def check_ready(environment: Environment) -> None:
    """Refuse an environment that is busy or unavailable.

    :raises MwaaError: with its status and what to do
    """
    if environment.status in READY:
        return
    if environment.status in _PASSING:
        advice = "Wait until it is AVAILABLE, then run this again"
    else:
        advice = "Look at it in the AWS console"
    raise MwaaError(f"The environment {environment.name} is {environment.status}. {advice}.")


def wait_for_update(
    mwaa: Any,
    before: Environment,
    *,
    say: Callable[[str], None],
    sleep: Callable[[float], None] = time.sleep,
    timeout: float = UPDATE_TIMEOUT,
) -> Environment:
    """Wait until an update that was just requested has succeeded.

    :param mwaa: a client
    :param before: the environment before it
    :param say: shows progress
    :param sleep: waits some seconds
    :param timeout: seconds
    :return: the environment after it
    :raises MwaaError: if it failed, with AWS's reason, or takes longer
    """
    waited = 0.0
    while waited <= timeout:
        sleep(POLL_EVERY)
        waited += POLL_EVERY
        now = read_environment(mwaa, before.name)
        update = now.described.get("LastUpdate", {})
        if now.status in _PASSING or now.updated_at == before.updated_at or update.get("Status") == "PENDING":
            say(f"{before.name} is {now.status} after {waited / 60:.0f} minutes")
            continue
        if update.get("Status") == "SUCCESS" and now.status == "AVAILABLE":
            return now
        error = update.get("Error", {})
        raise MwaaError(
            f"The update of {before.name} failed ({error.get('ErrorCode', now.status)}): "
            f"{error.get('ErrorMessage', 'AWS gives no reason')}. The log group airflow-{before.name}-Scheduler says "
            "more, in its streams requirements_install and startup_script_execution."
        )
    raise MwaaError(
        f"{before.name} is still not updated after {timeout / 60:.0f} minutes. Look at it in the AWS console, and run "
        "this again when it is AVAILABLE."
    )
