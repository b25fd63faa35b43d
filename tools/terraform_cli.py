"""Runs terraform so that it finds the AWS provider, with or without a network."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

ROOT = Path(__file__).resolve().parent.parent
MIRROR_VARIABLE = "OKTALOGGER_TF_MIRROR"
PROVIDER = Path("registry.terraform.io") / "hashicorp" / "aws"
NO_PROVIDER = (
    "The provider hashicorp/aws is not on this machine and its registry is out of reach. On a machine with a way to "
    "the registry run `terraform providers mirror FOLDER` in terraform/, bring the folder here, and name it: "
    f"{MIRROR_VARIABLE}=FOLDER."
)


class TerraformError(Exception):
    """Terraform cannot be run, or ended with an error; the message has its output."""


def find_terraform() -> str | None:
    """Return the path of the terraform on ``PATH``, or None."""
    return shutil.which("terraform")


def find_mirror(environ: Mapping[str, str] = os.environ) -> Path | None:
    """Find a folder laid out as a provider mirror that has the AWS provider for this machine.

    Looks in the folder that ``OKTALOGGER_TF_MIRROR`` names, otherwise in the system's folders for optional software.
    The folders that terraform searches by itself (such as ``/usr/share/terraform/plugins``) need no help.

    :param environ: the environment variables
    :raises TerraformError: if the variable names a folder without the provider
    """
    named = environ.get(MIRROR_VARIABLE)
    if named:
        if not _has_provider(Path(named)):
            raise TerraformError(f"{MIRROR_VARIABLE} names {named}, which has no {PROVIDER} for {_platform()} in it.")
        return Path(named).resolve()
    return next((folder for folder in sorted(_optional_software()) if _has_provider(folder)), None)


def _optional_software() -> Iterator[Path]:
    for parent in (Path("/opt"), Path("/usr/local/lib")):
        yield from (found.parents[len(PROVIDER.parts) - 1] for found in parent.glob(f"*/{PROVIDER}"))


def _has_provider(folder: Path) -> bool:
    home = folder / PROVIDER
    return any(home.glob(f"*/{_platform()}/terraform-provider-aws*")) or any(home.glob(f"*_{_platform()}.zip"))


def _platform() -> str:
    machine = platform.machine().lower()
    return f"{platform.system().lower()}_{ {'x86_64': 'amd64', 'aarch64': 'arm64'}.get(machine, machine) }"


def terraform_environment(scratch: Path, environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return the environment for terraform: quiet, without credentials, and with a way to the provider.

    Uses the user's own configuration if there is one, otherwise a mirror if there is one, otherwise the registry, with
    a cache under ``.local`` because the provider has 700 MB.

    :param scratch: a folder for the configuration file that this may have to write
    :param environ: the environment variables to start from
    """
    made = {name: value for name, value in environ.items() if not name.startswith(("AWS_", "TF_VAR_"))}
    made |= {
        "CHECKPOINT_DISABLE": "1",
        "TF_IN_AUTOMATION": "1",
        "TF_INPUT": "0",
        "AWS_EC2_METADATA_DISABLED": "true",
        # Terraform reads 13 MB of schema again and again: collecting less saves a fifth of the time, for 80 MB.
        "GOGC": "400",
        # The lock file would hold one platform's hash only, so there is none; see terraform/README.md.
        "TF_PLUGIN_CACHE_MAY_BREAK_DEPENDENCY_LOCK_FILE": "1",
    }
    own = made.get("TF_CLI_CONFIG_FILE")
    if own and Path(own).is_file():
        return made
    # A variable that names a missing file makes terraform warn at the head of every command's output.
    made.pop("TF_CLI_CONFIG_FILE", None)
    if (Path.home() / ".terraformrc").is_file():
        return made
    mirror = find_mirror(environ)
    if mirror is None:
        cache = Path(environ.get("OKTALOGGER_LOCAL") or ROOT / ".local") / "terraform-providers"
        cache.mkdir(parents=True, exist_ok=True)
        return made | {"TF_PLUGIN_CACHE_DIR": str(cache.absolute())}
    configuration = scratch / "terraform.rc"
    mirrored = f'  filesystem_mirror {{\n    path = "{mirror.as_posix()}"\n  }}\n'
    configuration.write_text(f"provider_installation {{\n{mirrored}}}\n")
    return made | {"TF_CLI_CONFIG_FILE": str(configuration)}


def run_terraform(
    *arguments: str, folder: Path, environ: Mapping[str, str], timeout: float = 600, check: bool = True
) -> subprocess.CompletedProcess[str]:
    """Run one terraform command.

    :param arguments: the command and its arguments
    :param folder: where to run it
    :param environ: from :func:`terraform_environment`
    :param timeout: seconds after which terraform is ended
    :param check: whether to raise on an exit code other than 0
    :raises TerraformError: if terraform failed and ``check`` is set
    """
    terraform = find_terraform()
    if terraform is None:
        raise TerraformError("There is no terraform on the PATH.")
    done = subprocess.run(  # noqa: S603
        [terraform, *arguments], cwd=folder, env=dict(environ), text=True, capture_output=True, timeout=timeout
    )
    if check and done.returncode:
        hint = f"\n{NO_PROVIDER}" if "Failed to query available provider packages" in done.stderr else ""
        raise TerraformError(f"terraform {' '.join(arguments)} in {folder}:\n{done.stdout}{done.stderr}{hint}")
    return done
