"""``docker-compose.yaml`` is valid, holds no secret, and agrees with the code."""

from __future__ import annotations

import ast
import json
import re
import shlex
from dataclasses import fields
from typing import TYPE_CHECKING, Any

import pytest

from local import paths
from local.compose import certificates, env, setup
from local.simulator.__main__ import settings as simulator_settings
from local.stack.airflow import POOL
from oktalogger.hooks.forms import OKTA_EXTRAS, OPENSEARCH_EXTRAS
from oktalogger.okta.auth import SswsAuth
from oktalogger.okta.client import OktaClient
from oktalogger.settings import PREFIX, Settings, load_settings
from tests.compose.conftest import config

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.timeout(1800)  # the first time on a machine Compose is built

TEXT = (paths.ROOT / "docker-compose.yaml").read_text()
AIRFLOW = ("airflow-apiserver", "airflow-scheduler", "airflow-dag-processor", "airflow-triggerer")
Stack = dict[str, dict[str, Any]]


def test_all_variables_without_a_default_are_asked_for_and_made_by_the_helper(
    compose_command: list[str], secrets: str, tmp_path: Any
) -> None:
    assert set(re.findall(r"\$\{(\w+):\?", TEXT)) == set(env.VARIABLES)
    for name in env.VARIABLES:
        without = "\n".join(line for line in secrets.splitlines() if not line.startswith(f"{name}="))
        done = config(compose_command, without, tmp_path, "--quiet")
        assert done.returncode != 0, f"{name} may be missing"
        assert name in done.stderr
        assert "local/compose/env.py" in done.stderr


def test_no_secret_is_in_the_file_and_each_is_used(
    compose_command: list[str], stack: Stack, secrets: str, tmp_path: Any
) -> None:
    done = config(compose_command, secrets, tmp_path, "--no-interpolate", "--format", "json")
    found = list(_secrets(json.loads(done.stdout)))
    assert len(found) > 10
    for name, value in found:
        assert re.fullmatch(r"(postgresql.*:)?\$\{\w+:\?[^}]+\}(@.*)?", value), f"{name} is in the file"
    rendered = json.dumps(stack)
    for line in secrets.splitlines():
        if not line.startswith("#"):
            name, _, value = line.partition("=")
            assert value not in TEXT
            assert value in rendered, f"{name} is used nowhere"


def _secrets(found: Any) -> Iterator[tuple[str, str]]:
    """Yield what looks by its name like a secret: variables, options, and the passwords of connections."""
    if isinstance(found, dict):
        for name, value in found.items():
            if isinstance(value, str) and re.search(r"PASSWORD|SECRET|TOKEN|KEY|SQL_ALCHEMY_CONN", name):
                yield name, value
            yield from _secrets(value)
    elif isinstance(found, list):
        for value in found:
            yield from _secrets(value)
    elif isinstance(found, str):
        for value in re.findall(r'"password": "(.*?)"(?:,|\})|--token=(.*)', found):
            yield "connection or option", "".join(value)


def test_images_are_official_and_pinned(stack: Stack) -> None:
    lock = (paths.ROOT / "requirements" / "airflow-3.3.txt").read_text()
    release = re.search(r"^apache-airflow==([\d.]+)", lock, re.MULTILINE)
    assert release
    images = {name: service["image"] for name, service in stack["services"].items()}
    assert {images[name] for name in (*AIRFLOW, "airflow-init")} == {f"oktalogger/airflow:{release[1]}"}
    assert images["opensearch"] == "opensearchproject/opensearch:2.19.4"
    assert images["opensearch-dashboards"] == images["opensearch"].replace("opensearch:", "opensearch-dashboards:")
    assert re.fullmatch(r"postgres:\d+\.\d+", images["postgres"])
    bases = {"airflow": rf"apache/airflow:{re.escape(release[1])}-python3\.\d+", "simulator": r"python:3\.\d+\.\d+-.*"}
    for name, service in stack["services"].items():
        if build := service.get("build"):
            text = (paths.ROOT / build["dockerfile"]).read_text()
            wanted = bases["airflow" if name.startswith("airflow") else "simulator"]
            assert re.findall(r"^FROM (\S+)$", text, re.MULTILINE)[0:1] == re.findall(wanted, text)[0:1]


ROOTS = {"certificates": {"CHOWN", "DAC_OVERRIDE", "FOWNER"}}
ROOTS["postgres"] = {*ROOTS["certificates"], "SETGID", "SETUID"}
SIMULATOR = ("certificates", "okta", "opensearch-init", "dashboards-init")


def test_no_container_can_do_more_than_it_must(stack: Stack) -> None:
    for name, service in stack["services"].items():
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert set(service.get("cap_add", ())) == ROOTS.get(name, set()), name
        assert not service.get("privileged"), name
    assert {name for name, service in stack["services"].items() if service.get("read_only")} == {*SIMULATOR, "postgres"}


def test_who_has_nothing_to_ask_a_service_cannot_reach_it(stack: Stack) -> None:
    networks = {name: set(service.get("networks") or ()) for name, service in stack["services"].items()}
    reach = {
        name: {other for other, theirs in networks.items() if other != name and mine & theirs}
        for name, mine in networks.items()
    }
    airflow = {*AIRFLOW, "airflow-init"}
    assert networks["certificates"] == set()
    assert reach["postgres"] == reach["okta"] == airflow
    assert reach["dashboards-init"] == {"opensearch-dashboards"}
    assert reach["opensearch-init"] == {"opensearch", "opensearch-dashboards", *airflow}
    assert stack["networks"]["database"]["internal"]
    for name, service in stack["services"].items():
        for needed in service.get("depends_on", {}):
            assert needed in reach[name] or needed == "certificates", f"{name} waits for {needed}"


@pytest.mark.parametrize(("image", "whole"), [("simulator", "local"), ("compose-airflow", "airflow-3.3")])
def test_the_images_hold_the_versions_that_the_tests_run_on(image: str, whole: str) -> None:
    def pins(name: str) -> dict[str, str]:
        text = (paths.ROOT / "requirements" / f"{name}.txt").read_text()
        return dict(re.findall(r"^([\w.-]+)==(\S+)", text, re.MULTILINE))

    assert pins(image).items() <= pins(whole).items()
    assert "index-url" not in (paths.ROOT / "requirements" / f"{image}.txt").read_text()


def test_what_an_image_copies_is_not_ignored() -> None:
    allowed = [line[1:] for line in (paths.ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")]
    for dockerfile in ("local/simulator/Dockerfile", "local/compose/airflow.Dockerfile"):
        for source in re.findall(r"^COPY (\S+) ", (paths.ROOT / dockerfile).read_text(), re.MULTILINE):
            assert (paths.ROOT / source).exists(), source
            assert source.split("/")[0] in allowed, source


def test_airflow_gets_settings_that_the_code_takes(stack: Stack) -> None:
    names = {PREFIX + field.name.upper() for field in fields(Settings)}
    for service in (*AIRFLOW, "airflow-init"):
        environment = stack["services"][service]["environment"]
        ours = {name: value for name, value in environment.items() if name.startswith(PREFIX)}
        assert ours.keys() <= names
        settings = load_settings(ours)
        port = stack["services"]["opensearch-dashboards"]["ports"][0]["published"]
        assert settings.dashboards_url == f"http://localhost:{port}"
        assert settings.okta_conn_ids == ("okta_default",), "the only connection that the file makes"


def test_a_file_beside_it_sets_any_setting_for_every_part_of_airflow(
    compose_command: list[str], secrets: str, tmp_path: Any
) -> None:
    name = PREFIX + fields(Settings)[-1].name.upper()
    project = tmp_path / "checkout"
    project.mkdir()
    (project / "settings.env").write_text(f"{name}={{}}\n{PREFIX}BULK_THREADS=7\n")
    done = config(compose_command, secrets, tmp_path, "--format", "json", project=project)
    assert done.returncode == 0, done.stderr
    services = json.loads(done.stdout)["services"]
    for service in (*AIRFLOW, "airflow-init"):
        environment = services[service]["environment"]
        assert (environment[name], environment[f"{PREFIX}BULK_THREADS"]) == ("{}", "7"), service
        assert environment[f"{PREFIX}DASHBOARDS_URL"], "what the file sets itself stays"
    assert not any(name.startswith(PREFIX) for name in services["opensearch"]["environment"])


def test_the_connections_are_such_as_the_hooks_take(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    from airflow.models.connection import Connection

    from oktalogger.hooks.okta import read_okta_connection
    from oktalogger.hooks.opensearch import OpenSearchHook

    for service in AIRFLOW:
        environment = stack["services"][service]["environment"]
        okta, opensearch = (json.loads(environment[f"AIRFLOW_CONN_{name}_DEFAULT"]) for name in ("OKTA", "OPENSEARCH"))
        assert okta["extra"].keys() <= {extra.name for extra in OKTA_EXTRAS}
        assert opensearch["extra"].keys() <= {extra.name for extra in OPENSEARCH_EXTRAS}

        found = read_okta_connection(Connection(conn_id="okta_default", **_as_airflow_reads(okta)))
        command = stack["services"]["okta"]["command"]
        org = simulator_settings(command[1:])
        assert found.org_url == f"http://okta:{org.port}"
        assert found.token in org.tokens
        assert org.host == "0.0.0.0"  # noqa: S104
        with OktaClient(found.org_url, SswsAuth(found.token or ""), allow_http=found.allow_http):
            pass  # refuses http to another machine unless that is allowed

        connection = Connection(conn_id="opensearch_default", **_as_airflow_reads(opensearch))
        monkeypatch.setattr(OpenSearchHook, "get_connection", lambda *_, found=connection: found)
        hook = OpenSearchHook()
        settings = hook.settings
        assert settings.url == f"https://{certificates.HOSTS[0]}:9200"
        assert settings.verify_certs
        assert settings.username == setup.LOADER
        assert settings.password == stack["services"]["opensearch-init"]["environment"]["OPENSEARCH_LOADER_PASSWORD"]
        ca = _mounts(stack, service)["/opt/airflow/ca"]
        assert settings.ca_certs == "/opt/airflow/ca/ca.pem"
        assert ca == ("ca", True)


def _as_airflow_reads(connection: dict[str, Any]) -> dict[str, Any]:
    return {**connection, "extra": json.dumps(connection["extra"])}


def _mounts(stack: Stack, service: str) -> dict[str, tuple[str, bool]]:
    """Return by target what a service has mounted, and whether it may only read it."""
    volumes = stack["services"][service].get("volumes", [])
    return {volume["target"]: (volume["source"], bool(volume.get("read_only"))) for volume in volumes}


def test_mounts_lead_from_what_is_there_to_where_it_is_looked_for(stack: Stack) -> None:
    for service in stack["services"]:
        for target, (source, read_only) in _mounts(stack, service).items():
            if source.startswith("/"):
                relative = source.removeprefix(f"{paths.ROOT}/")
                assert (paths.ROOT / relative).exists(), source
                assert read_only, f"{service} could change {relative} of the checkout"
            else:
                assert source in stack["volumes"], f"{target} of {service}"
    mounts = _mounts(stack, "airflow-scheduler")
    # `include` is found beside `plugins`, as in a checkout (oktalogger.resources).
    for name in ("dags", "plugins", "include"):
        assert mounts[f"/opt/airflow/{name}"][0].endswith(f"/{name}")
    for service in AIRFLOW:
        assert _mounts(stack, service) == mounts, "tasks, the parser and the web server see the same files"
    config_folder = "/usr/share/opensearch/config"
    text = (paths.ROOT / "local/compose/opensearch.yml").read_text()
    folders = {path.split("/")[0] for path in re.findall(r"_filepath: (\S+)", text)}
    assert folders == {"certificates"}
    assert _mounts(stack, "opensearch")[f"{config_folder}/certificates"] == ("node-certificates", True)
    ca = _mounts(stack, "opensearch-dashboards")["/usr/share/opensearch-dashboards/ca"]
    assert ca == ("ca", True)
    assert "/usr/share/opensearch-dashboards/ca/ca.pem" in _dashboards_file()
    folders_made = stack["services"]["certificates"]["command"][1:]
    assert {_mounts(stack, "certificates")[folder][0] for folder in folders_made} == {
        "ca",
        "node-certificates",
        "admin-certificates",
    }


def _dashboards_file() -> str:
    return (paths.ROOT / "local/compose/opensearch_dashboards.yml").read_text()


def test_the_administrators_key_is_only_where_users_are_made(stack: Stack) -> None:
    having = {name for name in stack["services"] if "admin-certificates" in json.dumps(stack["services"][name])}
    assert having == {"certificates", "opensearch-init"}


def test_containers_of_ours_run_modules_that_exist_with_variables_that_they_read(stack: Stack) -> None:
    read = set(re.findall(r"""environ\[["'](\w+)["']\]""", (paths.ROOT / "local/compose/setup.py").read_text()))
    given = set()
    for name in ("certificates", "okta", "opensearch-init", "dashboards-init"):
        service = stack["services"][name]
        module = service["command"][0]
        path = paths.ROOT / module.replace(".", "/")
        assert path.with_suffix(".py").exists() or (path / "__main__.py").exists(), module
        given |= set(service.get("environment") or {})
    assert given == read
    wanted = set(re.findall(r"\$\{(\w+)\}", _dashboards_file()))
    assert wanted == set(stack["services"]["opensearch-dashboards"]["environment"])


def test_the_pool_is_that_of_the_dag(stack: Stack) -> None:
    script = stack["services"]["airflow-init"]["command"][-1]
    lines = [shlex.split(line) for line in script.replace("\\\n", " ").splitlines()]
    pools = [line for line in lines if line[:3] == ["airflow", "pools", "set"]]
    assert [line[3] for line in pools] == [POOL]
    assert Settings().pool == POOL
    assert ["airflow", "db", "migrate"] in lines


def test_everything_that_stays_has_a_health_check_and_ends_only_on_this_machine(stack: Stack) -> None:
    for name, service in stack["services"].items():
        once = name == "certificates" or name.endswith("-init")
        assert once or service.get("healthcheck", {}).get("test"), f"{name} has no health check"
        assert service.get("restart", "no") == ("no" if once else "unless-stopped"), name
        for port in service.get("ports", []):
            assert port["host_ip"] == "127.0.0.1", f"{name} is open to the network"
        for needed, how in service.get("depends_on", {}).items():
            ends = needed == "certificates" or needed.endswith("-init")
            wanted = "service_completed_successfully" if ends else "service_healthy"
            assert how["condition"] == wanted, f"{name} needs {needed}"


def test_published_ports_are_those_that_the_programs_listen_on(stack: Stack) -> None:
    ports = {
        name: [(port["published"], port["target"]) for port in service["ports"]]
        for name, service in stack["services"].items()
        if service.get("ports")
    }
    assert ports == {
        "airflow-apiserver": [("8080", 8080)],
        "okta": [("8090", simulator_settings(stack["services"]["okta"]["command"][1:]).port)],
        "opensearch": [("9200", 9200)],
        "opensearch-dashboards": [("5601", 5601)],
    }


def test_health_checks_ask_for_what_the_programs_answer(stack: Stack) -> None:
    def check(name: str) -> str:
        return " ".join(stack["services"][name]["healthcheck"]["test"])

    assert "/api/v2/version" in check("airflow-apiserver")
    assert ":8974/health" in check("airflow-scheduler")
    assert stack["services"]["airflow-scheduler"]["environment"]["AIRFLOW__SCHEDULER__ENABLE_HEALTH_CHECK"] == "True"
    from airflow.configuration import conf

    assert conf.getint("scheduler", "scheduler_health_check_server_port") == 8974
    for name, job in (("airflow-dag-processor", "DagProcessorJob"), ("airflow-triggerer", "TriggererJob")):
        assert f"--job-type {job} " in check(name)
    # The control endpoint answers its own machine without a token; a container is one.
    code = stack["services"]["okta"]["healthcheck"]["test"][-1]
    ast.parse(code)
    assert ":8090/_control/state" in code
    assert "--control-token" not in json.dumps(stack["services"]["okta"]["command"])
    ca = re.search(r"--cacert (\S+)", check("opensearch"))
    assert ca
    assert ca[1].rpartition("/")[0] in _mounts(stack, "opensearch")


def test_airflow_variables_are_options_of_airflow(stack: Stack) -> None:
    from airflow.configuration import conf

    for name in stack["services"]["airflow-scheduler"]["environment"]:
        match = re.fullmatch(r"AIRFLOW__([A-Z_]+?)__([A-Z_]+)", name)
        if match:
            section, option = match[1].lower(), match[2].lower()
            assert option in conf.configuration_description[section]["options"], name
