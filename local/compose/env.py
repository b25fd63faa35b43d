"""Writes the file ``.env`` that ``docker-compose.yaml`` takes its secrets from: ``python3 local/compose/env.py``.

It needs nothing but Python. What the file has already stays; what is missing is made up and added.
"""

from __future__ import annotations

import base64
import os
import re
import secrets
import stat
import sys
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

FILE = Path(__file__).resolve().parent.parent.parent / ".env"
HISTORY = timedelta(hours=1)
WINDOW = timedelta(minutes=5)


def password() -> str:
    """A password of letters, digits, ``-`` and ``_``, which needs no quoting in a URL, in JSON or in this file."""
    return secrets.token_urlsafe(24)


def fernet_key() -> str:
    """A key for the secrets in Airflow's database."""
    return base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()


def okta_token() -> str:
    """An API token as Okta makes them: 42 characters beginning with 00."""
    return "00" + secrets.token_urlsafe(30)


def start_date() -> str:
    """The start of the window in which the moment an hour ago lies: fixed, so that an outage loses no window."""
    seconds = (datetime.now(UTC) - HISTORY).timestamp()
    start = datetime.fromtimestamp(seconds // WINDOW.total_seconds() * WINDOW.total_seconds(), UTC)
    return start.isoformat().replace("+00:00", "Z")


VARIABLES: dict[str, tuple[str, Callable[[], str]]] = {
    "AIRFLOW_ADMIN_PASSWORD": ("of the user admin at http://localhost:8080", password),
    "AIRFLOW_FERNET_KEY": ("Airflow", fernet_key),
    "AIRFLOW_API_SECRET_KEY": ("Airflow", password),
    "AIRFLOW_JWT_SECRET": ("Airflow", lambda: secrets.token_urlsafe(48)),
    "POSTGRES_PASSWORD": ("Airflow's database", password),
    "OPENSEARCH_ADMIN_PASSWORD": ("of the user admin at http://localhost:5601 and https://localhost:9200", password),
    "OPENSEARCH_LOADER_PASSWORD": ("of the user oktalogger, who may load and no more", password),
    "DASHBOARDS_PASSWORD": ("of OpenSearch Dashboards itself", password),
    "DASHBOARDS_COOKIE_PASSWORD": ("OpenSearch Dashboards' cookies", lambda: secrets.token_urlsafe(36)),
    "OKTA_TOKEN": ("API token of the simulated org", okta_token),
    "OKTALOGGER_START_DATE": ("where the DAG begins to load", start_date),
}


def complete(text: str) -> str:
    """Return a file's text with what is missing in it added."""
    there = set(re.findall(r"^[ \t]*(?:export +)?(\w+)[ \t]*=[ \t]*\S", text, re.MULTILINE))
    if text and not text.endswith("\n"):
        text += "\n"
    for name, (purpose, make) in VARIABLES.items():
        if name not in there:
            text += f"# {purpose}\n{name}={make()}\n"
    return text


def _replace(file: Path, text: str, mode: int) -> None:
    """Write a file whole or not at all; nobody but its owner can read it meanwhile."""
    descriptor, name = tempfile.mkstemp(prefix=file.name, dir=file.parent)
    written = Path(name)
    try:
        with os.fdopen(descriptor, "w") as stream:
            stream.write(text)
        written.chmod(mode)
        written.replace(file)
    except BaseException:
        written.unlink()
        raise


def main() -> int:
    """Write the file, readable by its owner only. A file that is there keeps its mode."""
    before = FILE.read_text() if FILE.exists() else ""
    after = complete(before)
    mode = stat.S_IMODE(FILE.stat().st_mode) if FILE.exists() else 0o600
    if mode & 0o077:
        print(f"others than you can use {FILE.name}, which holds passwords: chmod 600 {FILE.name}", file=sys.stderr)
    if after == before:
        print(f"{FILE.name} has everything already")
        return 0
    _replace(FILE, after, mode)
    print(f"{FILE.name} is written; the passwords are in it. Go on with: docker compose up --build --detach")
    return 0


if __name__ == "__main__":
    sys.exit(main())
