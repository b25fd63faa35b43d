"""Asks the simulator which events its org has, so that the judge does not depend on the product's code."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final
from urllib.parse import urlencode

import msgspec
import requests

if TYPE_CHECKING:
    from collections.abc import Iterator

_SLOT: Final = timedelta(minutes=5)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class Happened(msgspec.Struct, frozen=True):
    """An event with what Okta hides.

    :param persisted: since when it can be read
    """

    uuid: str
    published: datetime
    persisted: datetime
    oddity: str | None = None


class _Clock(msgspec.Struct):
    epoch: float


class Oracle:
    """Asks a simulator's control endpoint. Several threads may use one.

    :param control: ending in ``/_control``
    """

    def __init__(self, control: str) -> None:
        self._control = control
        self._slots: dict[datetime, list[Happened]] = {}
        self._lock = threading.Lock()
        self._decode = msgspec.json.Decoder(Happened).decode_lines
        self._session = requests.Session()
        self._session.trust_env = False

    def now(self) -> datetime:
        """The org's own time."""
        answer = self._get("/clock")
        return _EPOCH + timedelta(seconds=msgspec.json.decode(answer, type=_Clock).epoch)

    def published(self, start: datetime, end: datetime) -> Iterator[Happened]:
        """Every event of ``[start, end)``, each uuid once, whether it can be read yet or not."""
        slot = start - (start - _EPOCH) % _SLOT
        while slot < end:
            for event in self._slot(slot):
                if start <= event.published < end:
                    yield event
            slot += _SLOT

    def bodies(self, start: datetime, end: datetime) -> list[bytes]:
        """The same events as Okta sends them."""
        return self._events(start, end).splitlines()

    def _slot(self, start: datetime) -> list[Happened]:
        with self._lock:
            known = self._slots.get(start)
            if known is not None:
                return known
            found = self._decode(self._events(start, start + _SLOT, fields="hidden"))
            # What an org does (as writing of a rate limit that was used up) is published at once, never in the past.
            if start + _SLOT <= self.now():
                self._slots[start] = found
            return found

    def _events(self, start: datetime, end: datetime, **more: str) -> bytes:
        query = {"since": start.isoformat(), "until": end.isoformat(), "all": "1", **more}
        return self._get(f"/events?{urlencode(query)}")

    def _get(self, path: str) -> bytes:
        answer = self._session.get(self._control + path, timeout=120)
        answer.raise_for_status()
        return answer.content
