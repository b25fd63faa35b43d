"""Reads the values of settings: each function takes a variable's text and returns its value.

Each raises a ``ValueError`` if the text cannot be used; the message says what the variable takes.
"""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, Literal, get_args

from oktalogger.text import MARKUPS

if TYPE_CHECKING:
    from collections.abc import Callable

PACK: Final = "pack"
"""Stands for the folder of the detection rules that come with the package."""

Severity = Literal["informational", "low", "medium", "high", "critical"]
"""How bad a finding is, in Sigma's words for the level of a rule."""
AuditScope = Literal["off", "changes", "events"]
"""What the setup has OpenSearch's audit log note."""


def ids(text: str) -> tuple[str, ...]:
    """Read connection ids, separated by commas."""
    ids = tuple(part.strip() for part in text.split(",") if part.strip())
    if not ids or len(set(ids)) != len(ids):
        raise ValueError("connection ids, separated by commas, each once")
    for conn_id in ids:
        if not re.fullmatch(r"[\w.-]+", conn_id):
            raise ValueError("connection ids of letters, digits, `_`, `-` and `.`, separated by commas")
    return ids


def instant(text: str) -> datetime:
    """Read an instant; one without a time zone is in UTC."""
    try:
        value = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError("an instant like 2026-11-01T00:00:00Z") from None
    return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def name(text: str) -> str:
    """Read a name of letters, digits, `_`, `-` and `.`."""
    if not re.fullmatch(r"[\w.-]{1,200}", text):
        raise ValueError("a name of letters, digits, `_`, `-` and `.`")
    return text


def index_prefix(text: str) -> str:
    """Read the beginning of every index name.

    :raises ValueError: if it cannot be one; the message says what can
    """
    if not re.fullmatch(r"[a-z0-9][a-z0-9-]{0,99}", text):
        raise ValueError("a name of small letters, digits and dashes (a dot would shut out document-level monitors)")
    return text


def split_bucket(text: str) -> tuple[str, str] | None:
    """Take the address of an archive apart.

    :return: the bucket, and what the names in it begin with; None for a folder
    """
    scheme, separator, rest = text.partition("://")
    if not separator or scheme != "s3":
        return None
    bucket, _, prefix = rest.partition("/")
    return bucket, prefix.strip("/")


def archive(text: str) -> str:
    """Read the place of the archive: a bucket, or a folder."""
    expected = "an address like s3://bucket/prefix, or the absolute path of a folder"
    text = text.strip()
    found = split_bucket(text)
    if found is None:
        if not text.startswith("/") or ".." in text.split("/"):
            raise ValueError(expected)
        return text.rstrip("/") or "/"
    bucket, prefix = found
    if not re.fullmatch(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]", bucket) or not re.fullmatch(r"[\w.=/-]*", prefix):
        raise ValueError(f"{expected}; a prefix has letters, digits and any of `_.=/-`")
    return f"s3://{bucket}/{prefix}".rstrip("/")


def hosts(text: str) -> tuple[str, ...]:
    """Read host names, separated by commas, each with or without a port."""
    hosts = tuple(dict.fromkeys(filter(None, (word.strip().lower() for word in text.split(",")))))
    if not hosts or not all(re.fullmatch(r"[a-z0-9.-]+(:\d+)?", host) for host in hosts):
        raise ValueError("host names like company.okta.com, separated by commas")
    return hosts


def url(text: str) -> str:
    """Read an http or https address."""
    if not re.fullmatch(r"https?://[^\s@]+", text):
        raise ValueError("an http or https address without a user name in it")
    return text.rstrip("/")


def channel_names(text: str) -> tuple[str, ...]:
    """Read names of channels, separated by commas."""
    return tuple(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))


def severity(text: str) -> Severity:
    """Read a severity."""
    severities: tuple[Severity, ...] = get_args(Severity)
    for severity in severities:
        if text == severity:
            return severity
    raise ValueError("one of " + ", ".join(severities))


def audit_scope(text: str) -> AuditScope:
    """Read what the audit log is to hold."""
    scopes: tuple[AuditScope, ...] = get_args(AuditScope)
    for scope in scopes:
        if text == scope:
            return scope
    raise ValueError("one of " + ", ".join(scopes))


def folders(text: str) -> tuple[str, ...]:
    """Read names of folders, separated by commas.

    :raises ValueError: if there is none, or one stands twice; the message says what is taken
    """
    names = tuple(part.strip() for part in text.split(",") if part.strip())
    if not names or len(set(names)) != len(names):
        raise ValueError(f"folders, separated by commas, each once; `{PACK}` stands for the rules of oktalogger")
    return names


def notifiers(text: str) -> dict[str, dict[str, Any]]:
    """Read a JSON object that names a notifier for each channel."""
    expected = 'a JSON object like {"soc": {"class": "package.module.Notifier", "argument": "value"}}'
    try:
        values = json.loads(text)
    except json.JSONDecodeError as error:
        raise ValueError(f"{expected}; line {error.lineno}, column {error.colno}: {error.msg}") from None
    if not isinstance(values, dict):
        raise ValueError(expected)
    for name, value in values.items():
        if not isinstance(value, dict) or not isinstance(value.get("class"), str) or "." not in value["class"]:
            raise ValueError(f"{expected}; {name!r} is not so")
        if value.get("markup", "plain") not in MARKUPS:
            raise ValueError(f"{expected}; the `markup` of {name!r} is one of {', '.join(MARKUPS)}")
    return values


def whole_number(lowest: int, highest: int) -> Callable[[str], int]:
    """Return a reader of whole numbers.

    :param lowest: the least that it takes
    :param highest: the most that it takes
    """

    def read(text: str) -> int:
        if not text.strip().isdecimal() or not lowest <= int(text) <= highest:
            raise ValueError(f"a whole number from {lowest} to {highest}")
        return int(text)

    return read


def divisor_of_an_hour(text: str) -> int:
    """Read a number of minutes that divides an hour."""
    divisors = [minutes for minutes in range(1, 61) if 60 % minutes == 0]
    if not text.strip().isdecimal() or int(text) not in divisors:
        raise ValueError("minutes that divide an hour: " + ", ".join(map(str, divisors)))
    return int(text)


def hours(text: str) -> tuple[int, ...]:
    """Read numbers of hours, separated by commas, sorted."""
    read = whole_number(1, 24 * 90)
    try:
        return tuple(sorted({read(part.strip()) for part in text.split(",")}))
    except ValueError as error:
        raise ValueError(f"hours, separated by commas, each {error}") from None


def share(text: str) -> float:
    """Read a share over 0 and up to 1."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value <= 1:
        raise ValueError("a number over 0 up to 1, like 0.25")
    return value


def percent(text: str) -> float:
    """Read a percentage."""
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 100:
        raise ValueError("a number from 0 to 100, like 0.1")
    return value


def reserve(text: str) -> float:
    """Read a share from 0 up to 1, itself not included."""
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value < 1:
        raise ValueError("a number from 0 up to 1, itself not included, like 0.25")
    return value


def true_or_false(text: str) -> bool:
    """Read ``true`` or ``false``."""
    if text.strip().lower() not in ("true", "false"):
        raise ValueError("true or false")
    return text.strip().lower() == "true"
