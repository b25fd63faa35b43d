"""The Compose file as a real Compose implementation reads it."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from local import paths
from local.compose import env
from local.compose.implementation import ComposeUnavailableError, compose


@pytest.fixture(scope="session")
def compose_command() -> list[str]:
    try:
        return compose()
    except (ComposeUnavailableError, OSError) as error:
        if os.environ.get("CI", "").lower() in ("1", "true"):
            pytest.fail(f"docker-compose.yaml cannot be checked: {error}")
        pytest.skip(f"docker-compose.yaml was NOT checked: {error}")


def config(
    command: list[str], secrets: str, tmp_path: Any, *options: str, project: Path = paths.ROOT
) -> subprocess.CompletedProcess[str]:
    """Run ``config`` on the file of this checkout, as it stands in a folder, with the variables of an ``.env``."""
    file = tmp_path / "env"
    file.write_text(secrets)
    # Nothing of this process's environment may stand in for a variable.
    names = set(env.VARIABLES) | {"AIRFLOW_PORT", "OKTA_PORT", "OPENSEARCH_PORT", "DASHBOARDS_PORT"}
    environment = {name: value for name, value in os.environ.items() if name not in names}
    arguments = ["--project-directory", str(project), "--file", str(paths.ROOT / "docker-compose.yaml")]
    return subprocess.run(
        [*command, *arguments, "--env-file", str(file), "config", *options],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
    )


@pytest.fixture(scope="session")
def secrets() -> str:
    """What the helper writes into an empty ``.env``."""
    return env.complete("")


@pytest.fixture(scope="session")
def stack(
    compose_command: list[str], secrets: str, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, dict[str, Any]]:
    """The services, with all variables put in."""
    done = config(compose_command, secrets, tmp_path_factory.mktemp("compose"), "--format", "json")
    assert done.returncode == 0, done.stderr
    assert not done.stderr.strip(), done.stderr
    found: dict[str, dict[str, Any]] = json.loads(done.stdout)
    return found
