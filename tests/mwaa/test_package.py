"""The package for MWAA: the same wherever it is made, and at work in what stands for each image."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import uuid
import zipfile
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import httpx
import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from deploy.mwaa.package import PackageError, make_package
from local.paths import ROOT
from oktalogger.hooks.forms import OKTA_EXTRAS
from tests.airflow.command_line import command_line

if TYPE_CHECKING:
    from collections.abc import Iterator

    from local.simulator.process import Simulator

LINES = ("3.3", "3.2", "3.0", "2.11")
SOURCES = ("pyproject.toml", "README.md", "LICENSE", "plugins", "include", "dags", "requirements.txt")


def content(folder: Path) -> dict[str, tuple[bytes, int]]:
    """Every file with its bytes and its mode."""
    return {
        str(path.relative_to(folder)): (path.read_bytes(), path.stat().st_mode)
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("package") / "mwaa"
    make_package(ROOT, target)
    return target


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of what the package is made of, with other times and modes, and what running it leaves behind."""
    copy = tmp_path / "checkout"
    copy.mkdir()
    for name in SOURCES:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, copy / name)
    for path in copy.rglob("*"):
        if path.is_file():
            path.chmod(0o600)
            os.utime(path, (1_000_000_000, 1_000_000_000))
    (copy / "plugins" / "oktalogger" / "__pycache__").mkdir()
    (copy / "plugins" / "oktalogger" / "__pycache__" / "left.cpython-312.pyc").write_bytes(b"left over")
    return copy


def test_the_same_bytes_wherever_it_is_made(
    package: Path, checkout: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TZ", "Asia/Kathmandu")
    monkeypatch.setenv("LC_ALL", "C")
    before = os.umask(0o077)
    try:
        make_package(checkout, tmp_path / "again")
    finally:
        os.umask(before)
    assert content(tmp_path / "again") == content(package)


def test_a_changed_file_is_in_it(package: Path, checkout: Path, tmp_path: Path) -> None:
    with (checkout / "dags" / "okta_system_log.py").open("a") as dag:
        dag.write("# changed\n")
    make_package(checkout, tmp_path / "again")
    assert content(tmp_path / "again") != content(package)


def test_the_zip_has_the_wheel_and_the_wheel_has_all(package: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(package / "plugins.zip") as archive:
        [wheel] = archive.namelist()
        archive.extract(wheel, tmp_path)
    assert (package / "requirements.txt").read_text().splitlines()[-1] == f"/usr/local/airflow/plugins/{wheel}"
    with zipfile.ZipFile(tmp_path / wheel) as archive:
        names = archive.namelist()
    rules = {f"oktalogger/_include/detections/{path.name}" for path in (ROOT / "include" / "detections").glob("*.yml")}
    others = {
        "oktalogger/plugin.py",
        "oktalogger/.airflowignore",
        "oktalogger/_include/dashboards/saved-objects.ndjson",
    }
    assert rules | others <= set(names)
    assert not [name for name in names if "__pycache__" in name or name.endswith(".pyc")]


def test_nothing_of_an_earlier_package_stays(package: Path, tmp_path: Path) -> None:
    target = tmp_path / "mwaa"
    (target / "dags").mkdir(parents=True)
    (target / "dags" / "gone.py").write_text("")
    make_package(ROOT, target)
    assert content(target).keys() == content(package).keys()


@pytest.mark.parametrize("line", ["-c constraints.txt", "# like pip install -c constraints.txt", "--constraint x"])
def test_constraints_of_ones_own_are_refused(checkout: Path, tmp_path: Path, line: str) -> None:
    with (checkout / "requirements.txt").open("a") as file:
        file.write(f"{line}\n")
    with pytest.raises(PackageError, match="switches off MWAA's own"):
        make_package(checkout, tmp_path / "mwaa")


def test_a_startup_script_is_taken_along(checkout: Path, tmp_path: Path) -> None:
    script = tmp_path / "mine.sh"
    script.write_text("export OKTALOGGER_START_DATE=2026-11-25T00:00:00Z\n")
    make_package(checkout, tmp_path / "mwaa", startup=script)
    assert (tmp_path / "mwaa" / "startup.sh").read_text() == script.read_text()
    script.write_bytes(b"export A=1\r\n")
    with pytest.raises(PackageError, match="line ends of Windows"):
        make_package(checkout, tmp_path / "mwaa", startup=script)
    with pytest.raises(PackageError, match="no startup script"):
        make_package(checkout, tmp_path / "mwaa", startup=tmp_path / "none.sh")


@dataclass(frozen=True)
class Image:
    """What stands for an image of MWAA: its Python packages, and ours unpacked and installed as MWAA does it."""

    line: str
    home: Path

    @property
    def below(self) -> Path:
        """The environment with what the image brings, and what our requirements add to it."""
        return ROOT / ".venvs" / f"mwaa-{self.line}"

    @property
    def python(self) -> Path:
        return self.home / "environment" / "bin" / "python"

    @property
    def requirements(self) -> list[Requirement]:
        """What the image pins, and what we ask for."""
        texts = [(ROOT / "requirements" / f"mwaa-{self.line}.in").read_text(), (ROOT / "requirements.txt").read_text()]
        lines = [line for text in texts for line in text.splitlines()]
        return [Requirement(line) for line in lines if line and not line.startswith(("#", "-r"))]

    def environment(self, **more: str) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW", "PYTHON"))}
        settings = {
            "AIRFLOW_HOME": str(self.home),
            "AIRFLOW__CORE__DAGS_FOLDER": str(self.home / "dags"),
            "AIRFLOW__CORE__PLUGINS_FOLDER": str(self.home / "plugins"),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{self.home}/airflow.db",
            "PYTHONWARNINGS": "ignore",
            "OKTALOGGER_START_DATE": "2026-11-25T00:00:00Z",
        }
        return {**kept, **settings, **more}

    def run(self, *arguments: str) -> str:
        done = subprocess.run(
            [str(self.python), *arguments],
            cwd=self.home,
            env=self.environment(),
            text=True,
            capture_output=True,
            timeout=240,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


@pytest.fixture(scope="module", params=LINES)
def image(request: pytest.FixtureRequest, package: Path, tmp_path_factory: pytest.TempPathFactory) -> Image:
    home = tmp_path_factory.mktemp(f"image-{request.param}")
    shutil.copytree(package / "dags", home / "dags")
    with zipfile.ZipFile(package / "plugins.zip") as archive:
        archive.extractall(home / "plugins")
    image = Image(request.param, home)
    uv("venv", "--python", str(image.below / "bin" / "python"), str(home / "environment"))
    [site_packages] = (home / "environment").glob("lib/python*/site-packages")
    [below] = image.below.glob("lib/python*/site-packages")
    (site_packages / "image.pth").write_text(str(below))
    wheel = (package / "requirements.txt").read_text().splitlines()[-1].replace("/usr/local/airflow", str(home))
    uv("pip", "install", "--offline", "--no-deps", "--python", str(image.python), wheel)
    return image


def uv(*arguments: str) -> None:
    subprocess.run([str(ROOT / ".venvs" / "uv" / "bin" / "uv"), "--quiet", *arguments], check=True, timeout=120)


@pytest.fixture(scope="module")
def found(image: Image) -> dict[str, Any]:
    """What the package is like in there."""
    answer: dict[str, Any] = json.loads(image.run(str(Path(__file__).with_name("inside.py"))).splitlines()[-1])
    return answer


def test_its_packages_are_the_images_and_take_ours(image: Image, found: dict[str, Any]) -> None:
    versions = {canonicalize_name(name): version for name, version in found["versions"].items()}
    for requirement in image.requirements:
        assert requirement.specifier.contains(versions[canonicalize_name(requirement.name)], prereleases=True), (
            requirement
        )
    uv("pip", "check", "--python", str(image.below / "bin" / "python"))


def test_the_dags_load(found: dict[str, Any]) -> None:
    assert found["dags"]["errors"] == {}
    assert set(found["dags"]["ids"]) == {path.stem for path in (ROOT / "dags").glob("*.py")}


def test_every_module_can_be_imported(found: dict[str, Any]) -> None:
    folder = ROOT / "plugins"
    files = {path.relative_to(folder).with_suffix("") for path in folder.rglob("*.py")}
    names = {".".join(path.parts).removesuffix(".__init__") for path in files}
    left_out = {"oktalogger", "oktalogger.__main__", "oktalogger.detections.rules.sigma"}
    assert set(found["modules"]) == names - left_out


def test_the_plugin_and_the_connection_form_are_there(found: dict[str, Any]) -> None:
    assert found["plugins"]["names"].count("oktalogger") == 1
    assert found["plugins"]["errors"] == {}
    assert found["form"] == sorted(extra.name for extra in OKTA_EXTRAS if extra.in_form)


def test_the_detections_are_found_where_they_are_everywhere(image: Image, found: dict[str, Any]) -> None:
    folder = Path(found["include"]["folder"])
    assert folder.is_relative_to(image.home / "environment")
    assert folder.parts[-2:] == ("oktalogger", "_include")
    assert found["include"]["detections"] >= 32


@pytest.fixture
def prefix(opensearch_url: str) -> Iterator[str]:
    name = f"mwaa-{uuid.uuid4().hex[:8]}"
    yield name
    httpx.delete(f"{opensearch_url}/{name}*?expand_wildcards=all", timeout=60, trust_env=False)
    httpx.delete(f"{opensearch_url}/_index_template/{name}*", timeout=60, trust_env=False)


def test_it_loads(image: Image, okta: Simulator, opensearch_url: str, prefix: str) -> None:
    end = (datetime.now(UTC) - timedelta(hours=2)).replace(minute=0, second=0, microsecond=0)
    start = end - timedelta(minutes=5)
    where = urlsplit(opensearch_url)
    connections = {
        "OKTA_DEFAULT": {"conn_type": "okta", "host": okta.url, "password": okta.token},
        "OPENSEARCH_DEFAULT": {
            "conn_type": "opensearch",
            "host": where.hostname,
            "port": where.port,
            "extra": {"use_ssl": False},
        },
    }
    variables = {f"AIRFLOW_CONN_{name}": json.dumps(value) for name, value in connections.items()}
    variables |= {"OKTALOGGER_INDEX_PREFIX": prefix, "OKTALOGGER_START_DATE": "2026-01-01T00:00:00Z"}
    environment = image.environment(**variables)
    moment = (end + timedelta(minutes=2)).isoformat()  # both lines take the last whole window before it
    with command_line(environment, str(image.python)) as commands:
        for arguments in (
            ("db", "migrate"),
            ("pools", "set", "okta_api", "4", "tasks that ask Okta"),
            ("dags", "reserialize"),
            ("dags", "test", "okta_system_log", moment),
        ):
            done = commands.run(*arguments, environment=environment, timeout=240)
            assert done.returncode == 0, done.stdout + done.stderr
    events = okta.control.hidden(*(each.strftime("%Y-%m-%dT%H:%M:%SZ") for each in (start, end)))
    httpx.post(f"{opensearch_url}/{prefix}/_refresh", timeout=60, trust_env=False).raise_for_status()
    answer = httpx.post(
        f"{opensearch_url}/{prefix}/_search?size=10000", json={"_source": False}, timeout=60, trust_env=False
    )
    hits = answer.raise_for_status().json()["hits"]["hits"]
    assert sorted(hit["_id"] for hit in hits) == sorted({event["uuid"] for event in events})
