"""The package for an environment without internet access: everything that an image lacks comes with it."""

from __future__ import annotations

import os
import subprocess
import zipfile
from typing import TYPE_CHECKING

import pytest

from deploy.mwaa.package import make_package
from deploy.mwaa.wheels import LINES, WheelsError, fetch, needed, read_lock
from local.paths import ROOT
from tests.mwaa.test_package import uv

if TYPE_CHECKING:
    from pathlib import Path

# Nothing listens there: whoever asks for a package by the network fails.
NOWHERE = dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"), "http://127.0.0.1:9")


def lock(line: str) -> str:
    return (ROOT / "requirements" / f"mwaa-{line}.txt").read_text()


@pytest.mark.parametrize("line", LINES)
def test_it_installs_into_what_an_image_has_without_a_network(line: str, tmp_path: Path) -> None:
    package = tmp_path / "package"
    make_package(ROOT, package, offline=line)
    home = tmp_path / "airflow"
    with zipfile.ZipFile(package / "plugins.zip") as archive:
        archive.extractall(home / "plugins")
    python = image(line, tmp_path)
    text = (package / "requirements.txt").read_text()
    assert "/usr/local/airflow" in text
    requirements = tmp_path / "requirements.txt"
    requirements.write_text(text.replace("/usr/local/airflow", str(home)))

    environment = {name: value for name, value in os.environ.items() if not name.startswith("PIP_")}
    done = subprocess.run(
        [str(ROOT / ".venvs" / "uv" / "bin" / "pip"), "--python", str(python), "install", "-r", str(requirements)],
        env={**environment, **NOWHERE},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    uv("pip", "check", "--python", str(python))
    code = "import airflow.providers.opensearch, msgspec, oktalogger, opensearchpy; print(oktalogger.__version__)"
    said = subprocess.run([str(python), "-c", code], capture_output=True, text=True, timeout=120, cwd=tmp_path)
    assert said.returncode == 0, said.stderr


def image(line: str, folder: Path) -> Path:
    """Make an environment with an image's packages, less all that an image may lack."""
    locked = read_lock(lock(line))
    lacks = set(needed(locked))
    assert {"msgspec", "opensearch-py", "apache-airflow-providers-opensearch"} <= lacks
    assert not {"apache-airflow", "apache-airflow-providers-amazon", "boto3"} & lacks
    pins = folder / "image.txt"
    pins.write_text("".join(one.text + "\n" for name, one in locked.items() if name not in lacks))
    python = folder / "image" / "bin" / "python"
    uv("venv", "--python", str(ROOT / ".venvs" / f"mwaa-{line}" / "bin" / "python"), str(folder / "image"))
    uv("pip", "install", "--offline", "--no-deps", "--require-hashes", "--python", str(python), "-r", str(pins))
    return python


def test_a_line_without_an_image_is_refused(tmp_path: Path) -> None:
    with pytest.raises(WheelsError, match=r"no image for Airflow 9\.9"):
        fetch("9.9", tmp_path)


def test_a_lock_file_is_read_with_its_reasons() -> None:
    text = (
        "# made by uv\n"
        "one==1.0 \\\n    --hash=sha256:aa\n    # via -r ../requirements.txt\n"
        "two==2.0 ; python_version < '3.13' \\\n    --hash=sha256:bb\n    # via\n    #   apache-airflow\n    #   one\n"
        "three==3.0 \\\n    --hash=sha256:cc\n    # via apache-airflow\n"
    )
    found = read_lock(text)
    assert {name: sorted(one.via) for name, one in found.items()} == {
        "one": ["-r ../requirements.txt"],
        "two": ["apache-airflow", "one"],
        "three": ["apache-airflow"],
    }
    assert found["two"].text == "two==2.0 ; python_version < '3.13' \\\n    --hash=sha256:bb"
    assert needed(found) == ["one", "two"]
