"""The package built as a wheel and installed beside Airflow."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import venv
import zipfile
from dataclasses import dataclass
from email import message_from_bytes
from typing import TYPE_CHECKING, Any

import pytest

from oktalogger import __version__
from oktalogger.get_provider_info import get_provider_info
from oktalogger.hooks.forms import OKTA_EXTRAS, OPENSEARCH_EXTRAS, OPENSEARCH_TYPE
from tests.airflow.command_line import CommandLine, command_line
from tests.airflow.conftest import ROOT
from tests.airflow.test_plugin import LOADED, PLUGINS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SOURCES = ("pyproject.toml", "README.md", "LICENSE", "plugins", "include")

# What the connection forms of the Airflow UI are made of, asked for as the UI of each line asks for them.
FORMS = """
import json, warnings
TYPES = ("okta", "oktalogger_opensearch")
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    try:
        from airflow.api_fastapi.core_api.services.ui.connections import HookMetaService
        metas = {hook.connection_type: hook for hook in HookMetaService.hook_meta_data()}
        forms = {
            kind: {
                "name": metas[kind].hook_name,
                "fields": {name: dict(field) for name, field in (metas[kind].extra_fields or {}).items()},
                "standard": metas[kind].standard_fields.model_dump()
                            if hasattr(metas[kind].standard_fields, "model_dump")
                            else json.loads(json.dumps(metas[kind].standard_fields, default=vars)),
            }
            for kind in TYPES
        }
    except ModuleNotFoundError:
        from airflow.providers_manager import ProvidersManager
        from airflow.www.forms import create_connection_form_class
        manager = ProvidersManager()
        form_class = create_connection_form_class()
        forms = {}
        for kind in TYPES:
            prefix = f"extra__{kind}__"
            names = [name for name in dir(form_class) if name.startswith(prefix)]
            behaviour = manager.field_behaviours[kind]
            fields = {name[len(prefix):]: getattr(form_class, name) for name in names}
            forms[kind] = {
                "name": manager.hooks[kind].hook_name,
                "fields": {name: {"kind": field.field_class.__name__, "label": str(field.args[0])}
                           for name, field in fields.items()},
                "standard": {name: {"hidden": True} for name in behaviour["hidden_fields"]}
                            | {name: {"title": title} for name, title in behaviour["relabeling"].items()},
            }
print(json.dumps(
    {"forms": forms, "warnings": [str(one.message) for one in caught if "oktalogger" in str(one.message)]}
))
"""

# As the button "Test" does: a connection with a random id, in the environment, whose hook Airflow makes.
TEST = """
import json, os
from airflow.models import Connection
found = {}
for kind, host in (("okta", "https://acme.okta.com/app"), ("oktalogger_opensearch", "https://me@search.example.com")):
    connection = Connection(conn_id="Xq7Yz", conn_type=kind, host=host, password="x")
    os.environ["AIRFLOW_CONN_XQ7YZ"] = connection.get_uri()
    found[kind] = connection.test_connection()
print(json.dumps(found))
"""

HOOK = """
import json
from airflow.models import Connection
connection = Connection(conn_id="okta_default", conn_type="okta", host="http://127.0.0.1:1", password="x")
hook = connection.get_hook()
from oktalogger.resources import resource
print(json.dumps([type(hook).__module__, hook.okta_conn_id, str(resource("opensearch/index-template.json"))]))
"""


@dataclass(frozen=True)
class Installed:
    """A throw-away environment with the wheel in it, on top of the environment that runs these tests."""

    python: Path
    commands: CommandLine

    def run(self, *arguments: str) -> str:
        done = self.commands.run(*arguments, environment=without_plugins_folder(), timeout=180)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def json(self, code: str) -> Any:
        return json.loads(self.run("-c", code).splitlines()[-1])


def without_plugins_folder() -> dict[str, str]:
    return {**os.environ, "AIRFLOW__CORE__PLUGINS_FOLDER": "/nonexistent"}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    source = tmp_path_factory.mktemp("source")
    for name in SOURCES:
        path = ROOT / name
        if path.is_dir():
            # Other stages write compiled files there meanwhile.
            shutil.copytree(path, source / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(path, source / name)
    subprocess.run([sys.executable, "-m", "hatchling", "build", "-t", "wheel"], cwd=source, check=True, timeout=120)
    [built] = (source / "dist").glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installed]:
    home = tmp_path_factory.mktemp("installed")
    venv.create(home, with_pip=False, symlinks=True)
    [site_packages] = home.glob("lib/python*/site-packages")
    ours = [path for path in sys.path if path.endswith("site-packages")]
    (site_packages / "airflow.pth").write_text("\n".join(ours))
    uv = ROOT / ".venvs" / "uv" / "bin" / "uv"
    subprocess.run(
        [str(uv), "pip", "install", "--quiet", "--offline", "--no-deps", "--python", str(home), str(wheel)],
        check=True,
        timeout=120,
    )
    python = home / "bin" / "python"
    with command_line(without_plugins_folder(), str(python)) as commands:
        yield Installed(python, commands)


def test_type_checkers_are_told_of_the_types_in_it(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as members:
        assert "oktalogger/py.typed" in members.namelist()
        metadata = message_from_bytes(members.read(f"oktalogger-{__version__}.dist-info/METADATA"))
    assert "Typing :: Typed" in metadata.get_all("Classifier", [])
    urls = dict(line.split(", ") for line in metadata.get_all("Project-URL", []))
    assert set(urls) == {"Changelog", "Documentation", "Homepage", "Issues", "Source"}


def test_the_command_line_works_from_it(installed: Installed) -> None:
    done = subprocess.run(
        [str(installed.python), "-m", "oktalogger", "check"],
        env={"PATH": os.environ["PATH"]}, cwd=installed.python.parent, text=True, capture_output=True, timeout=120,
    )  # fmt: skip
    assert "WRONG      okta connection (OKTALOGGER_OKTA_URL): OKTALOGGER_OKTA_URL is not set.\n" in done.stdout
    assert "rules are compiled and enabled" in done.stdout, "the rules travel with the wheel"
    assert done.returncode == 1


def test_airflow_sees_the_provider(installed: Installed) -> None:
    providers = json.loads(installed.run("providers", "list", "--output", "json").splitlines()[-1])
    assert {p["package_name"]: p["version"] for p in providers}["oktalogger"] == __version__


def test_the_provider_names_every_module_with_a_task_or_a_notifier(installed: Installed) -> None:
    info = get_provider_info()
    (operators,) = info["operators"]
    own = {
        path.stem for path in (ROOT / "plugins/oktalogger/operators").glob("*.py") if "Operator(" in path.read_text()
    }
    assert {name.rpartition(".")[2] for name in operators["python-modules"]} == own - {"ledgered", "detection_base"}
    names = [*operators["python-modules"], *(name.rpartition(".")[0] for name in info["notifications"])]
    assert installed.json(f"import json, {', '.join(names)}; print(json.dumps('loaded'))") == "loaded"


def test_a_connection_of_the_type_gives_our_hook(installed: Installed) -> None:
    module, conn_id, template = installed.json(HOOK)
    assert (module, conn_id) == ("oktalogger.hooks.okta", "okta_default")
    assert "/_include/opensearch/" in template


@pytest.fixture(scope="module")
def forms(installed: Installed) -> dict[str, Any]:
    answer = installed.json(FORMS)
    assert answer["warnings"] == []
    found: dict[str, Any] = answer["forms"]
    return found


def test_the_form_of_okta(forms: dict[str, Any]) -> None:
    form = forms["okta"]
    assert form["name"] == "Okta"
    assert set(form["fields"]) == {extra.name for extra in OKTA_EXTRAS if extra.in_form}
    assert {name for name, field in form["fields"].items() if is_secret(field)} == {"private_key"}
    standard = form["standard"]
    assert standard["login"]["hidden"]
    assert standard["host"]["title"] == "Org URL"
    assert standard["password"]["title"] == "API token"


def test_the_form_of_opensearch(forms: dict[str, Any]) -> None:
    form = forms[OPENSEARCH_TYPE]
    assert form["name"] == "OpenSearch (oktalogger)"
    assert set(form["fields"]) == {extra.name for extra in OPENSEARCH_EXTRAS if extra.in_form}
    assert form["standard"]["login"]["title"] == "User"


def test_no_form_shows_the_word_null_or_a_switch_that_is_off(forms: dict[str, Any]) -> None:
    for form in forms.values():
        for name, field in form["fields"].items():
            schema = field.get("schema", {})
            assert None not in schema.get("enum", ()), name
            assert field.get("kind") != "BooleanField", name
            assert "boolean" not in str(schema.get("type")), name


def test_the_button_that_tests_a_connection_says_what_is_wrong_and_names_no_random_id(installed: Installed) -> None:
    found = installed.json(TEST)
    assert found["okta"] == [
        False, "the org URL 'https://acme.okta.com/app' has a path: leave out everything after the host",
    ]  # fmt: skip
    good, message = found[OPENSEARCH_TYPE]
    assert not good
    assert message.startswith("The host of this connection holds a user"), message


def is_secret(field: dict[str, Any]) -> bool:
    return field.get("kind") == "PasswordField" or field.get("schema", {}).get("format") == "password"


def test_the_community_providers_type_is_left_alone(installed: Installed) -> None:
    code = (
        "import json; from airflow.providers_manager import ProvidersManager\n"
        "print(json.dumps(ProvidersManager().hooks['opensearch'].hook_class_name))"
    )
    assert installed.json(code).startswith("airflow.providers.opensearch.")


def test_the_installed_plugin_loads(installed: Installed) -> None:
    loaded = installed.json(LOADED)
    assert loaded["plugins"] == ["oktalogger"]
    assert loaded["errors"] == {}
    assert str(PLUGINS) not in loaded["file"]


def test_both_at_once_do_not_clash(installed: Installed) -> None:
    environment = {**os.environ, "AIRFLOW__CORE__PLUGINS_FOLDER": str(PLUGINS)}
    done = subprocess.run(
        [str(installed.python), "-c", LOADED],
        env=environment,
        cwd=installed.python.parent,
        text=True,
        capture_output=True,
        timeout=180,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    loaded = json.loads(done.stdout.splitlines()[-1])
    assert loaded["plugins"] == ["oktalogger"]
    assert loaded["errors"] == {}
    assert str(PLUGINS) not in loaded["file"], "the installed wheel is what runs"
