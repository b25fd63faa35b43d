"""Monitors as OpenSearch holds them, and how ours are told from everybody else's."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from oktalogger.detections.model import MONITOR_PREFIX, source_hash
from oktalogger.detections.monitors.compare import normal
from oktalogger.detections.monitors.handover import with_ceiling, with_floor

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from oktalogger.detections.model import RenderedMonitor

DEFAULT_INDEX_PREFIX: Final = "okta-system-log"
_MARKER_KEY: Final = "oktalogger"
_ID_IN_NAME: Final = re.compile(r"\[([^\[\]]+)\]$")


@dataclass(frozen=True, slots=True)
class StoredMonitor:
    """A monitor that was read from OpenSearch.

    :param id: the id that the server gave it
    :param version: how often it was written; the server counts every write, whoever makes it
    :param seq_no: for a conditional update
    :param primary_term: for a conditional update
    :param content: the monitor as the server shows it, which is not as it was sent
    """

    id: str
    version: int
    seq_no: int
    primary_term: int
    content: dict[str, Any]

    @property
    def name(self) -> str:
        """The monitor's name."""
        return str(self.content.get("name", ""))

    @property
    def age(self) -> tuple[int, str]:
        """Sorts the oldest first; the id decides between two that are equally old."""
        written = self.content.get("enabled_time") or self.content.get("last_update_time") or 0
        return int(written), self.id


@dataclass(frozen=True, slots=True)
class Marker:
    """What we leave in a monitor's ``ui_metadata``.

    :param detection_id: the rule's id
    :param hash: hash of what was rendered
    :param version: the monitor's version that our own write made. Any other version means that somebody else wrote
        since, which a comparison of contents could not tell: the server stores a query differently from how it was sent
    :param content: hash of what was rendered in the form in which monitors can be compared. It tells a write that
        changed nothing from one that did, where the rule has changed or gone since
    :param prefix: the index prefix of the deployment that wrote it; two of them may share a cluster
    """

    detection_id: str
    hash: str
    version: int
    content: str
    prefix: str

    def as_ui_metadata(self) -> dict[str, Any]:
        """Return the object to send as ``ui_metadata``."""
        return {_MARKER_KEY: asdict(self)}

    @classmethod
    def of(cls, monitor: StoredMonitor) -> Marker | None:
        """Read the marker of a monitor; ``None`` where there is none that can be read."""
        metadata = monitor.content.get("ui_metadata")
        values = metadata.get(_MARKER_KEY) if isinstance(metadata, dict) else None
        if not isinstance(values, dict):
            return None
        texts = [values.get(name, "") for name in ("detection_id", "hash", "content", "prefix")]
        version = values.get("version")
        if not all(isinstance(text, str) for text in texts) or not texts[0] or not isinstance(version, int):
            return None
        return cls(texts[0], texts[1], version, texts[2], texts[3])


@dataclass(frozen=True, slots=True)
class Owner:
    """One deployment of oktalogger among those that may share a cluster.

    :param prefix: its index prefix
    """

    prefix: str = DEFAULT_INDEX_PREFIX

    @property
    def name_prefix(self) -> str:
        """How the names of this deployment's monitors begin."""
        if self.prefix == DEFAULT_INDEX_PREFIX:
            return MONITOR_PREFIX
        return f"{MONITOR_PREFIX.rstrip(': ')} ({self.prefix}): "

    def own(self, rendered: RenderedMonitor) -> RenderedMonitor:
        """Return the monitor under the name that it has in this deployment."""
        if rendered.name.startswith(self.name_prefix):
            return rendered
        name = self.name_prefix + rendered.name.removeprefix(MONITOR_PREFIX)
        body = {**rendered.body, "name": name}
        return replace(rendered, name=name, body=body, source_hash=source_hash(body))

    def id_by_name(self, monitor: StoredMonitor) -> str | None:
        """Return the rule's id out of a name of ours; ``None`` for any other name."""
        if not monitor.name.startswith(self.name_prefix):
            return None
        found = _ID_IN_NAME.search(monitor.name)
        return found[1] if found else None

    def marker(self, monitor: StoredMonitor) -> Marker | None:
        """Return the monitor's marker if this deployment wrote it."""
        marker = Marker.of(monitor)
        return marker if marker is not None and marker.prefix == self.prefix else None

    def body_to_send(self, rendered: RenderedMonitor, *, version: int, floor: datetime | None = None) -> dict[str, Any]:
        """Return the body of a create or an update.

        :param version: the version that the monitor has once this is stored: 1 for a create
        :param floor: the moment from which on it judges what is loaded; ``None`` lets it judge all that it looks at
        """
        body = with_floor(rendered.body, floor)
        marker = Marker(rendered.detection_id, rendered.source_hash, version, source_hash(normal(body)), self.prefix)
        return {**body, "ui_metadata": marker.as_ui_metadata()}

    def body_of_old(self, stored: StoredMonitor, moment: datetime | None) -> dict[str, Any]:
        """Return the body that leaves a monitor of an older form what was loaded before a moment.

        :param moment: the moment; ``None`` switches the monitor off
        """
        old = stored.content
        body = {**old, "enabled": False} if moment is None else with_ceiling(old, moment)
        marker = self.marker(stored)
        if marker is None:
            return body
        renewed = replace(marker, version=stored.version + 1, content=source_hash(normal(body)))
        return {**body, "ui_metadata": renewed.as_ui_metadata()}


def read_monitor(answer: Mapping[str, Any], content: Mapping[str, Any]) -> StoredMonitor:
    """Make a stored monitor from the parts of an answer.

    :param answer: what holds ``_id``, ``_version``, ``_seq_no`` and ``_primary_term``
    :param content: the monitor itself
    :raises KeyError: if one of them is missing
    """
    return StoredMonitor(
        id=str(answer["_id"]),
        version=int(answer["_version"]),
        seq_no=int(answer["_seq_no"]),
        primary_term=int(answer["_primary_term"]),
        content=dict(content),
    )
