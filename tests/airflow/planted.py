"""Recognisable secrets, and the search for them in everything that leaves the process."""

from __future__ import annotations

import base64
import http.client
import json
import logging
import os
import re
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

# An access token, an assertion or a proof: each is a JWT, or looks like one.
JWT = re.compile(r"eyJ[\w-]{8,}\.[\w-]{8,}")


@dataclass
class Planted:
    """The secrets by name, each in all the forms in which it might be seen."""

    forms: dict[str, set[str]] = field(default_factory=dict)

    def add(self, name: str, secret: str, *, user: str | None = None) -> str:
        """Plant a secret and return it.

        :param user: the user that a password belongs to
        """
        found = {secret, quote(secret, safe=""), json.dumps(secret)[1:-1], base64.b64encode(secret.encode()).decode()}
        found.add(repr(secret)[1:-1])
        if user is not None:
            found.add(base64.b64encode(f"{user}:{secret}".encode()).decode())
        # A key counts as seen where one line of it is.
        found |= {line for line in secret.splitlines() if len(line) > 30 and not line.startswith("-----")}
        self.forms.setdefault(name, set()).update(found)
        return secret

    def seen(self, text: str) -> set[str]:
        """Return the names of the secrets that a text holds."""
        found = {name for name, forms in self.forms.items() if any(form in text for form in forms)}
        return found | ({"a JWT"} if JWT.search(text) else set())


class Seen:
    """Everything that was logged, raised, returned or sent while it was listening."""

    def __init__(self, planted: Planted) -> None:
        self.planted = planted
        self.texts: list[tuple[str, str]] = []
        self.sent: list[tuple[str, str]] = []
        """Address and bytes of everything that was sent over HTTP."""

    def note(self, where: str, text: object) -> None:
        """Take note of a text."""
        self.texts.append((where, text if isinstance(text, str) else repr(text)))

    def error(self, where: str, error: BaseException) -> None:
        """Take note of an exception: its text, its causes, and the traceback as it is printed, local variables too."""
        self.note(where, "".join(traceback.format_exception(error)))
        one: BaseException | None = error
        while one is not None:
            for frame, line in traceback.walk_tb(one.__traceback__):
                if f"{os.sep}tests{os.sep}" not in frame.f_code.co_filename:
                    for name, value in frame.f_locals.items():
                        self.note(f"local variable {name} of {frame.f_code.co_qualname}, line {line}", repr(value))
            self.note(where, f"{one} {one!r} {one.args!r} {vars(one)!r}")
            one = one.__cause__ or one.__context__

    def leaks(self) -> list[tuple[str, set[str], str]]:
        """Return where secrets were seen, which, and the lines of the text that hold them, shortened."""
        found = []
        for where, text in self.texts:
            if names := self.planted.seen(text):
                lines = [line[:300] for line in text.splitlines() if self.planted.seen(line)]
                found.append((where, names, "\n".join(lines[:10])))
        return found

    def strays(self, allowed: dict[str, set[str]]) -> list[tuple[str, set[str]]]:
        """Return secrets that were sent to an address which has no business with them.

        :param allowed: names of secrets by ``host:port``
        """
        found = []
        for address, sent in self.sent:
            if stray := self.planted.seen(sent) - allowed.get(address, set()):
                found.append((address, stray))
        return found


class _Handler(logging.Handler):
    def __init__(self, seen: Seen) -> None:
        super().__init__(logging.NOTSET)
        self.seen = seen
        self.setFormatter(logging.Formatter("%(levelname)s %(name)s %(message)s"))

    def emit(self, record: logging.LogRecord) -> None:
        self.seen.note(f"log of {record.name}", self.format(record))


@contextmanager
def listening(planted: Planted) -> Iterator[Seen]:
    """Listen at every logger, at DEBUG and before any masking, and at every HTTP connection."""
    seen = Seen(planted)
    handler = _Handler(seen)
    loggers = [logging.getLogger(), *(logging.getLogger(name) for name in list(logging.root.manager.loggerDict))]
    before = [(logger, logger.level, logger.disabled, logger.propagate) for logger in loggers]
    send: Any = http.client.HTTPConnection.send

    def record(connection: Any, data: Any) -> None:
        if isinstance(data, bytes | bytearray | memoryview):
            seen.sent.append((f"{connection.host}:{connection.port}", bytes(data).decode("latin-1")))
        send(connection, data)

    for logger in loggers:
        logger.setLevel(logging.DEBUG)
        logger.disabled, logger.propagate = False, True
    logging.getLogger().addHandler(handler)
    http.client.HTTPConnection.send = record  # type: ignore[method-assign, assignment]
    try:
        yield seen
    finally:
        http.client.HTTPConnection.send = send  # type: ignore[method-assign]
        logging.getLogger().removeHandler(handler)
        for logger, level, disabled, propagate in before:
            logger.setLevel(level)
            logger.disabled, logger.propagate = disabled, propagate
