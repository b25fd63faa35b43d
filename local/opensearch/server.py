"""Runs one server in the foreground, and ends it whatever happens."""

from __future__ import annotations

import ctypes
import errno
import json
import os
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from base64 import b64encode
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from local import paths
from local.console import progress
from local.opensearch.build import build
from local.opensearch.errors import OpenSearchLocalError
from local.opensearch.instance import Instance, Member, prepare

if TYPE_CHECKING:
    from collections.abc import Iterator

START_TIMEOUT = 240  # seconds; a start takes 6 to 13 on an idle machine
STOP_TIMEOUT = 20
DATA_BYTES = 512 * 1024**2
LOG_LINES = 25
MEMORY = Path("/dev/shm")  # noqa: S108 - Linux's file system in memory, in which mkdtemp makes a folder of its own
MEMORY_BYTES = 4 * 1024**3


class Stopped(BaseException):
    """Somebody asked us to end."""


def run(
    version: str,
    *,
    security: bool,
    port: int,
    data: Path | None,
    heap: str,
    brief: bool = False,
    stay: bool,
    member: Member | None = None,
) -> None:
    """Build if needed, start, print one JSON line when the server answers, and wait for the end.

    Ends on SIGTERM, SIGINT, and when the parent ends.

    :param port: the HTTP port, 0 for any that is free
    :param data: keeps configuration and data between starts; None for a folder that is removed at the end
    :param heap: Java's heap, such as ``512m``
    :param brief: spend less on compiling and on disk, for a server that lives for minutes
    :param stay: do not end with the parent
    :param member: its place in a cluster of several; it answers once most of them are there
    :raises OpenSearchLocalError: if the server cannot start, or ends by itself
    """
    parent = None if stay else os.getppid()
    with _signals_raise(), _folder(data) as folder, _memory(wanted=brief and data is None) as memory:
        try:
            check_port(port)
            distribution = build(version, security=security)
            paths.need_free(folder, DATA_BYTES, "OpenSearch's data")
            instance = prepare(folder, distribution, port=port, data=memory, member=member)
            with _process(instance, heap, brief=brief) as process:
                ready = _wait_until_ready(instance, process, parent)
                print(json.dumps(ready), flush=True)
                while True:
                    _check_alive(instance, process, parent)
                    time.sleep(0.5)
        except Stopped:
            progress(f"OpenSearch {version} has ended")


def check_port(port: int) -> None:
    """Refuse a port that another program has.

    :raises OpenSearchLocalError: if it is taken
    """
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            raise OpenSearchLocalError(
                f"Port {port} is taken by another program. End that program, or choose another port "
                "with --port (0 takes any that is free)."
            ) from error


@contextmanager
def _signals_raise() -> Iterator[None]:
    def stop(signum: int, frame: object) -> None:
        raise Stopped

    old = {number: signal.signal(number, stop) for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in old.items():
            signal.signal(number, handler)


@contextmanager
def _folder(data: Path | None) -> Iterator[Path]:
    if data is not None:
        yield data
        return
    folder = Path(tempfile.mkdtemp(prefix="oktalogger-opensearch-"))
    folder.chmod(0o755)  # the server may run as another user
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _memory(*, wanted: bool) -> Iterator[Path | None]:
    """A folder in memory, if there is plenty: each index that is made waits for the disk several times."""
    if not wanted or not os.access(MEMORY, os.W_OK) or shutil.disk_usage(MEMORY).free < MEMORY_BYTES:
        yield None
        return
    folder = Path(tempfile.mkdtemp(prefix="oktalogger-opensearch-", dir=MEMORY))
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _process(instance: Instance, heap: str, *, brief: bool) -> Iterator[subprocess.Popen[bytes]]:
    other = paths.SERVER_ID if paths.needs_other_user() else None
    with instance.log.open("wb") as log:
        process = subprocess.Popen(  # noqa: S603
            _command(instance, heap, brief=brief),
            cwd=instance.distribution.home,
            env=_environment(instance),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=_die_with_parent if sys.platform == "linux" else None,
            user=other,
            group=other,
            extra_groups=None if other is None else [],
        )
    try:
        yield process
    finally:
        _end(process)


def _command(instance: Instance, heap: str, *, brief: bool) -> list[str]:
    distribution = instance.distribution
    logs = instance.folder / "logs"
    return [
        str(distribution.java),
        "-Xshare:auto",
        *_compilation_and_memory(distribution.jvm_options(instance.folder / "tmp"), brief=brief),
        f"-Xms{heap}",
        f"-Xmx{heap}",
        f"-XX:HeapDumpPath={logs}",
        f"-XX:ErrorFile={logs / 'java-error-%p.log'}",
        f"-Dopensearch.path.home={distribution.home}",
        f"-Dopensearch.path.conf={instance.config}",
        "-Dopensearch.distribution.type=zip",
        "-Dopensearch.bundled_jdk=false",
        "-cp",
        f"{distribution.home / 'lib'}/*",
        "org.opensearch.bootstrap.OpenSearch",
    ]


def _compilation_and_memory(options: list[str], *, brief: bool) -> list[str]:
    if not brief:
        return options
    # Compiling well takes a third of the CPU time of a server that lives for minutes, and G1 a third of its memory.
    return ["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", *(option for option in options if not _is_of_g1(option))]


def _is_of_g1(option: str) -> bool:
    return option.startswith(("-XX:+UseG1", "-XX:G1", "-XX:InitiatingHeapOccupancyPercent"))


def _environment(instance: Instance) -> dict[str, str]:
    """Next to nothing, so that no Java option from outside slips in; our own names mark whose process it is."""
    own = {name: value for name, value in os.environ.items() if name == "PATH" or name.startswith("OKTALOGGER_")}
    return own | {"OPENSEARCH_PATH_CONF": str(instance.config)}


def _die_with_parent() -> None:
    """Ask Linux to kill this process when its parent dies, even by SIGKILL. Runs in the child, before Java."""
    set_parent_death_signal = 1  # PR_SET_PDEATHSIG of prctl(2)
    ctypes.CDLL(None).prctl(set_parent_death_signal, signal.SIGKILL)


def _end(process: subprocess.Popen[bytes]) -> None:
    for number, patience in ((signal.SIGTERM, STOP_TIMEOUT), (signal.SIGKILL, None)):
        if process.poll() is None:
            os.killpg(process.pid, number)
            try:
                process.wait(patience)
            except subprocess.TimeoutExpired:
                progress(f"OpenSearch does not end within {STOP_TIMEOUT} s; killing it")


def _wait_until_ready(
    instance: Instance, process: subprocess.Popen[bytes], parent: int | None
) -> dict[str, str | int | bool]:
    began = time.monotonic()
    progress(f"  starting OpenSearch {instance.distribution.home.name}; its log is {instance.log}")
    while time.monotonic() - began < START_TIMEOUT:
        _check_alive(instance, process, parent)
        address = _address(instance)
        if address and _answers(instance, address):
            progress(f"  OpenSearch answers at {address} after {time.monotonic() - began:.0f} s")
            return _description(instance, address, process.pid)
        time.sleep(0.1)
    raise OpenSearchLocalError(
        f"OpenSearch does not answer {START_TIMEOUT} s after its start. The end of {instance.log}:\n{_tail(instance)}"
    )


def _check_alive(instance: Instance, process: subprocess.Popen[bytes], parent: int | None) -> None:
    if parent is not None and os.getppid() != parent:
        raise Stopped
    if process.poll() is not None:
        raise OpenSearchLocalError(
            f"OpenSearch ended by itself with exit code {process.returncode}. The end of {instance.log}:\n"
            f"{_tail(instance)}"
        )


def _address(instance: Instance) -> str | None:
    """The server's URL, once it listens."""
    try:
        first = instance.ports_file.read_text().split()[0]
    except (FileNotFoundError, IndexError):
        return None
    scheme = "https" if instance.distribution.security else "http"
    return f"{scheme}://localhost:{first.rpartition(':')[2]}"


def _answers(instance: Instance, address: str) -> bool:
    request = urllib.request.Request(f"{address}/_cluster/health?wait_for_status=yellow&timeout=1s")  # noqa: S310
    tls = None
    if instance.distribution.security:
        tls = ssl.create_default_context(cafile=instance.certificates / "ca.pem")
        login = b64encode(f"admin:{instance.password()}".encode()).decode()
        request.add_header("Authorization", f"Basic {login}")
    # No proxy lies between this machine and itself.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=tls))
    try:
        with opener.open(request, timeout=5) as response:
            return json.load(response)["status"] in ("yellow", "green")
    except (OSError, json.JSONDecodeError):
        # Not listening yet, or listening and not initialised yet.
        return False


def _description(instance: Instance, address: str, pid: int) -> dict[str, str | int | bool]:
    distribution = instance.distribution
    found: dict[str, str | int | bool] = {
        "url": address,
        "pid": os.getpid(),
        "server_pid": pid,
        "version": distribution.version,
        "security": distribution.security,
        "data": str(instance.folder),
    }
    if distribution.security:
        found |= {
            "ca": str(instance.certificates / "ca.pem"),
            "user": "admin",
            "password": instance.password(),
            "certificates": str(instance.certificates),
        }
    return found


def _tail(instance: Instance) -> str:
    lines = instance.log.read_text(errors="replace").splitlines()
    return "\n".join(f"  {line}" for line in lines[-LOG_LINES:])
