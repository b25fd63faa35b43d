"""The folder that one server runs in: its configuration, data and logs."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from local import paths
from local.opensearch.certificates import distinguished_name, make_certificates
from local.opensearch.errors import OpenSearchLocalError
from local.opensearch.releases import SECURITY

if TYPE_CHECKING:
    from local.opensearch.build import Distribution

CLIENTS = ("admin", "loader")
"""Client certificates: the security plugin's administrator, and one for tests to give roles to."""

_LOG4J = """status = error
appender.console.type = Console
appender.console.name = console
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = [%d{ISO8601}][%-5p][%-25c{1.}][%node_name]%marker %m%n
rootLogger.level = info
rootLogger.appenderRef.console.ref = console
"""


@dataclass(frozen=True, slots=True)
class Member:
    """A node's place in a cluster of several on this machine.

    :param name: of the node
    :param port: on which the others reach it
    :param ports: of all nodes that the cluster begins with, by their names
    """

    name: str
    port: int
    ports: dict[str, int]

    @classmethod
    def read(cls, name: str, members: str) -> Member:
        """Read the command line's form.

        :param members: like ``one:9301,two:9302,three:9303``
        :raises OpenSearchLocalError: if that is something else, or the node is not among them
        """
        try:
            ports = {member: int(port) for member, port in (one.split(":") for one in members.split(","))}
            return cls(name, ports[name], ports)
        except (ValueError, KeyError) as error:
            raise OpenSearchLocalError(
                f"--members is like one:9301,two:9302,three:9303 and has the node's own name, not {members!r}."
            ) from error

    def settings(self) -> dict[str, object]:
        """Settings that make it a member of the cluster."""
        return {
            "node.name": self.name,
            "transport.port": self.port,
            "discovery.seed_hosts": [f"127.0.0.1:{port}" for port in self.ports.values()],
            "cluster.initial_cluster_manager_nodes": list(self.ports),
        }


@dataclass(frozen=True, slots=True)
class Instance:
    """One server's folder.

    :param folder: holds ``config``, ``data``, ``logs`` and ``tmp``
    :param distribution: what runs in it
    :param data: another folder for its data
    """

    folder: Path
    distribution: Distribution
    data: Path | None = None

    @property
    def config(self) -> Path:
        """The configuration."""
        return self.folder / "config"

    @property
    def log(self) -> Path:
        """What the server prints."""
        return self.folder / "logs" / "server.log"

    @property
    def ports_file(self) -> Path:
        """Where the server writes the address that it got."""
        return self.folder / "logs" / "http.ports"

    @property
    def certificates(self) -> Path:
        """The certificates and keys; only with the security plugin."""
        return self.config / "certificates"

    def password(self) -> str:
        """The password of the user ``admin``; only with the security plugin."""
        return (self.config / "admin-password").read_text()


def prepare(
    folder: Path, distribution: Distribution, *, port: int, data: Path | None = None, member: Member | None = None
) -> Instance:
    """Make a folder ready for a start; data that is there stays.

    :param port: the HTTP port, 0 for any that is free
    :param data: another folder for the server's data
    :param member: its place in a cluster; None for a server by itself
    :raises OpenSearchLocalError: if the folder holds another release's data, or the server cannot get to it
    """
    folder = folder.absolute()
    folder.mkdir(parents=True, exist_ok=True)
    _check_release(folder, distribution)
    instance = Instance(folder, distribution, data)
    for name in ("config", "config/jvm.options.d", "data", "logs", "tmp"):
        (folder / name).mkdir(exist_ok=True)
    instance.ports_file.unlink(missing_ok=True)
    settings = _settings(instance, port) | (member.settings() if member else _ALONE)
    if distribution.security:
        settings |= _security_settings(instance)
    (instance.config / "log4j2.properties").write_text(_LOG4J)
    # JSON is YAML.
    (instance.config / "opensearch.yml").write_text(json.dumps(settings, indent=1) + "\n")
    if paths.needs_other_user():
        for handed in (folder, data):
            if handed is not None:
                _hand_over(handed)
    return instance


def _check_release(folder: Path, distribution: Distribution) -> None:
    marker = folder / "release"
    release = distribution.home.name
    if marker.exists() and marker.read_text() != release:
        raise OpenSearchLocalError(
            f"{folder} holds the data of OpenSearch {marker.read_text()}, not of {release}. "
            "Remove that folder, or choose another with --data."
        )
    marker.write_text(release)


# Nobody joins this cluster, so the port between nodes may be any.
_ALONE: dict[str, object] = {"node.name": "local", "transport.port": 0, "discovery.type": "single-node"}


def _settings(instance: Instance, port: int) -> dict[str, object]:
    return {
        "cluster.name": "oktalogger-local",
        "node.portsfile": True,
        "path.data": str(instance.data or instance.folder / "data"),
        "path.logs": str(instance.folder / "logs"),
        "network.host": "127.0.0.1",
        "http.port": port,
        # A laptop's disk is often 90 % full with a hundred gigabytes to spare.
        "cluster.routing.allocation.disk.threshold_enabled": False,
        "cluster.routing.allocation.node_initial_primaries_recoveries": 16,
    }


def _security_settings(instance: Instance) -> dict[str, object]:
    certificates = instance.certificates
    if not certificates.exists():
        _make_security(instance)
    node = {"pemcert_filepath": "node.pem", "pemkey_filepath": "node-key.pem", "pemtrustedcas_filepath": "ca.pem"}
    files = {
        f"plugins.security.ssl.{layer}.{key}": f"{certificates.name}/{file}"
        for layer in ("http", "transport")
        for key, file in node.items()
    }
    return files | {
        "plugins.security.ssl.http.enabled": True,
        "plugins.security.ssl.http.clientauth_mode": "OPTIONAL",
        "plugins.security.ssl.transport.enforce_hostname_verification": False,
        "plugins.security.nodes_dn": [distinguished_name("node")],
        "plugins.security.authcz.admin_dn": [distinguished_name("admin")],
        "plugins.security.allow_default_init_securityindex": True,
        "plugins.security.audit.type": "internal_opensearch",
        "plugins.security.restapi.roles_enabled": ["all_access", "security_rest_api_access"],
    }


def _make_security(instance: Instance) -> None:
    """Certificates, and the one user ``admin`` with a password made up here."""
    plugin = instance.distribution.home / "plugins" / SECURITY
    folder = instance.config / SECURITY
    shutil.copytree(plugin / "config", folder, dirs_exist_ok=True)
    password = secrets.token_urlsafe(18)
    admin = {"hash": _hash(instance.distribution, password), "reserved": True, "backend_roles": ["admin"]}
    users = {"_meta": {"type": "internalusers", "config_version": 2}, "admin": admin}
    (folder / "internal_users.yml").write_text(json.dumps(users))
    (folder / "config.yml").write_text(json.dumps(_security_config()))
    # As on Amazon OpenSearch Service, where publishing the audit log does not begin it.
    audit = folder / "audit.yml"
    audit.write_text(audit.read_text().replace("\n  enabled: true\n", "\n  enabled: false\n", 1))
    secret = instance.config / "admin-password"
    secret.touch(mode=0o600)
    secret.write_text(password)
    made = instance.config / "certificates.new"
    shutil.rmtree(made, ignore_errors=True)
    made.mkdir(mode=0o700)
    make_certificates(made, CLIENTS)
    made.rename(instance.certificates)


def _security_config() -> dict[str, object]:
    """Users of the internal database by password, anybody else by client certificate."""

    def domain(order: int, kind: str, backend: str, **config: str) -> dict[str, object]:
        authenticator = {"type": kind, "challenge": kind == "basic", "config": config}
        return {
            "http_enabled": True,
            "transport_enabled": True,
            "order": order,
            "http_authenticator": authenticator,
            "authentication_backend": {"type": backend},
        }

    domains = {
        "basic_internal_auth_domain": domain(1, "basic", "intern"),
        "clientcert_auth_domain": domain(0, "clientcert", "noop", username_attribute="cn"),
    }
    return {
        "_meta": {"type": "config", "config_version": 2},
        "config": {"dynamic": {"http": {"anonymous_auth_enabled": False}, "authc": domains, "authz": {}}},
    }


def _hash(distribution: Distribution, password: str) -> str:
    """The password as the plugin's own tool hashes it."""
    home = distribution.home
    classpath = f"{home / 'plugins' / SECURITY}/*{os.pathsep}{home / 'lib'}/*"
    # By the environment: other users can read a command line.
    command = [str(distribution.java), "-cp", classpath, "org.opensearch.security.tools.Hasher", "-env", "PASSWORD"]
    done = subprocess.run(command, text=True, capture_output=True, env={"PASSWORD": password})  # noqa: S603
    hashed = [line for line in done.stdout.splitlines() if line.startswith("$2")]
    if done.returncode or not hashed:
        raise OpenSearchLocalError(f"The security plugin could not hash a password:\n{done.stderr}")
    return hashed[-1]


def _hand_over(folder: Path) -> None:
    """Give the folder to the server's user."""
    if not paths.reachable(folder.parent):
        raise OpenSearchLocalError(
            f"OpenSearch refuses to run as root, and the user it runs as instead cannot get to {folder}. "
            "Choose with --data a folder below folders that all users may enter, such as one in /var/tmp."
        )
    for parent, _, files in os.walk(folder):
        os.chown(parent, paths.SERVER_ID, paths.SERVER_ID)
        for file in files:
            os.chown(Path(parent) / file, paths.SERVER_ID, paths.SERVER_ID, follow_symlinks=False)
