"""Deploys a package to an environment: first plugins, requirements and startup script, then the DAGs that need them.

Every step can be repeated, so you can run an interrupted deploy again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from deploy.mwaa.aws import MwaaError, aws_errors
from deploy.mwaa.environment import PARTS, Part, check_ready, read_environment, wait_for_update
from local.paths import ROOT
from oktalogger import __version__

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from deploy.mwaa.bucket import Bucket
    from deploy.mwaa.environment import Environment

PACKAGE: Final = ROOT / "build" / "mwaa"
DAG_PREFIX: Final = "okta_"
"""Prefix of our DAG files. Only among these does a deploy look for files that the newer package no longer has."""


@dataclass(frozen=True, slots=True)
class Upload:
    """A file to store.

    :param key: its key in the bucket
    :param source: the file
    :param new: whether nothing is there yet
    """

    key: str
    source: Path
    new: bool

    def __str__(self) -> str:
        return f"{'add' if self.new else 'replace'} {self.key}"


@dataclass(frozen=True, slots=True)
class Plan:
    """The steps of a deploy.

    :param parts: files of which the environment names a version, each with the upload that it needs, or its version
    :param dags: DAG files to store
    :param gone: keys of our DAG files that the package no longer has
    """

    parts: tuple[tuple[Part, Upload | str], ...]
    dags: tuple[Upload, ...]
    gone: tuple[str, ...]


class Deploy:
    """One deploy.

    :param mwaa: a client of MWAA
    :param bucket: the environment's bucket
    :param package: the folder that ``make mwaa-package`` made
    :param say: shows progress
    """

    def __init__(self, mwaa: Any, bucket: Bucket, package: Path, say: Callable[[str], None]) -> None:
        self._mwaa = mwaa
        self._bucket = bucket
        self._package = package
        self._say = say

    def plan(self, environment: Environment, *, dags_only: bool = False, replace: bool = False) -> Plan:
        """Compare the package with the environment.

        :param environment: the environment to deploy to
        :param dags_only: leave out plugins, requirements and startup script
        :param replace: also replace files that somebody else has stored
        :raises MwaaError: if the package, the environment or the bucket is not fit for a deploy
        """
        check_ready(environment)
        dags = _package_dags(self._package)
        if environment.bucket != self._bucket.name:
            raise MwaaError(
                f"The environment {environment.name} reads the bucket {environment.bucket}, not {self._bucket.name}."
            )
        self._bucket.check()
        foreign: list[str] = []
        parts: list[tuple[Part, Upload | str]] = []
        for part in PARTS if not dags_only else ():
            source = self._package / part.file
            if source.exists():
                parts.append((part, self._compare(environment.key(part), source, foreign)))
        uploads = [self._compare(f"{environment.dags}/{path.name}", path, foreign) for path in dags]
        if foreign and not replace:
            raise MwaaError(_refusal(foreign, environment))
        kept = {f"{environment.dags}/{path.name}" for path in dags}
        gone = [key for key in self._bucket.ours(f"{environment.dags}/{DAG_PREFIX}") if key not in kept]
        return Plan(tuple(parts), tuple(upload for upload in uploads if isinstance(upload, Upload)), tuple(gone))

    def describe(self, plan: Plan, environment: Environment) -> list[str]:
        """Describe a plan, a line for each step."""
        lines = [str(what) for _, what in plan.parts if isinstance(what, Upload)]
        if self._changes(plan.parts, environment):
            lines.append(f"update {environment.name}, which takes 20 to 30 minutes and restarts its workers")
        lines += [str(upload) for upload in plan.dags]
        lines += [f"delete {key}" for key in plan.gone]
        return lines or ["nothing: the environment has all of the package"]

    def apply(self, plan: Plan, environment: Environment, *, wait: bool = True) -> bool:
        """Carry out a plan.

        :param plan: the plan, from :meth:`plan`
        :param environment: the environment to deploy to
        :param wait: wait for the update, and then store the DAGs
        :return: whether everything is done; without ``wait`` the DAGs may be missing
        :raises MwaaError: if a step fails; earlier steps stay
        """
        parts = [(part, self._store(what) if isinstance(what, Upload) else what) for part, what in plan.parts]
        changes = self._changes(parts, environment)
        if changes:
            with aws_errors(f"update the environment {environment.name}"):
                self._mwaa.update_environment(Name=environment.name, **changes)
            self._say(f"{environment.name} is being updated: {', '.join(sorted(changes))}")
            if not wait:
                return False
            wait_for_update(self._mwaa, environment, say=self._say)
        for upload in plan.dags:
            self._store(upload)
        for key in plan.gone:
            self._bucket.delete(key)
            self._say(f"deleted {key}")
        return True

    def _compare(self, key: str, source: Path, foreign: list[str]) -> Upload | str:
        stored = self._bucket.read(key)
        if stored is not None and stored.content == source.read_bytes():
            return stored.version
        if stored is not None and not stored.ours:
            foreign.append(key)
        return Upload(key, source, new=stored is None)

    def _store(self, upload: Upload) -> str:
        version = self._bucket.put(upload.key, upload.source.read_bytes(), __version__)
        self._say(f"stored {upload.key}")
        return version

    def _changes(self, parts: Sequence[tuple[Part, Upload | str]], environment: Environment) -> dict[str, str]:
        """Return the arguments of an update. An upload not yet made stands for its version, which is unknown."""
        changes: dict[str, str] = {}
        for part, what in parts:
            version = "" if isinstance(what, Upload) else what
            if environment.version(part) != version:
                changes |= {part.path_field: environment.key(part), part.version_field: version}
        return changes


def deploy(
    mwaa: Any,
    bucket: Bucket,
    environment_name: str,
    *,
    package: Path,
    say: Callable[[str], None],
    dags_only: bool = False,
    replace: bool = False,
    dry_run: bool = False,
    wait: bool = True,
) -> bool:
    """Deploy a package to an environment, or show the plan.

    :return: whether the environment now has all of the package
    :raises MwaaError: if the deploy fails
    """
    environment = read_environment(mwaa, environment_name)
    run = Deploy(mwaa, bucket, package, say)
    plan = run.plan(environment, dags_only=dags_only, replace=replace)
    if dry_run:
        say(f"With {environment_name} and the bucket {bucket.name} it would:")
    for line in run.describe(plan, environment):
        say(f"  {line}")
    if dry_run:
        return False
    return run.apply(plan, environment, wait=wait)


def dag_files(package: Path) -> list[str]:
    """Return the names of the package's DAG files."""
    return [path.name for path in _package_dags(package)]


def _package_dags(package: Path) -> list[Path]:
    dags = sorted((package / "dags").glob("*.py"))
    missing = [name for name in ("plugins.zip", "requirements.txt") if not (package / name).is_file()]
    if missing or not dags:
        raise MwaaError(f"There is no complete package in {package}: make it first with make mwaa-package.")
    others = [
        path for path in (package / "dags").rglob("*") if path not in dags or not path.name.startswith(DAG_PREFIX)
    ]
    if others:
        raise MwaaError(
            f"{', '.join(map(str, others))}: not among our DAG files. Make the package again: make mwaa-package."
        )
    return dags


def _refusal(foreign: list[str], environment: Environment) -> str:
    return (
        f"In the bucket {environment.bucket} somebody else has put {', '.join(foreign)}, with other content than the "
        "package's. Nothing was changed. If other DAGs need what is in plugins.zip, requirements.txt or startup.sh, "
        "put ours into theirs, deploy these their way, and run this with --dags-only. If Terraform made the "
        "environment with package_folder, terraform apply brings the package. If they can go, run this with --replace."
    )
