"""Alerts without the Alerting plugin: who has heard of which match, and what they are told.

A match remembers the channels that heard of it. So nobody hears of the same events twice, and a notification that did
not go out is tried again. A group that fired stays quiet for as long as a monitor's alert would stay active.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import msgspec

from oktalogger.detections.messages import about
from oktalogger.opensearch.errors import OpenSearchRequestError
from oktalogger.opensearch.request import call, send
from oktalogger.window import format_instant

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from opensearchpy import OpenSearch

    from oktalogger.detections.model import CompiledDetection
    from oktalogger.detections.replay.matches import Match

NOTIFIED: Final = "notified"
_BATCH: Final = 1000
# A flood of matches is one message that says how many there are.
_MOST_SHOWN: Final = 10


@dataclass(frozen=True, slots=True)
class Alert:
    """What one channel is told about one rule at one time.

    :param detection: the rule
    :param channel: who hears of it
    :param matches: what it found and the channel has not heard of, in order of time
    :param quiet: what it found as well, in groups that the channel heard of a short time ago: not told
    """

    detection: CompiledDetection
    channel: str
    matches: tuple[Match, ...]
    quiet: tuple[Match, ...] = ()

    @property
    def subject(self) -> str:
        """One line."""
        count = f" ({len(self.matches)} matches)" if len(self.matches) > 1 else ""
        return f"[Okta, {self.detection.severity}] {self.detection.title}{count}"

    @property
    def text(self) -> str:
        """What happened, what it means, and what to do."""
        lines = [_line(match) for match in self.matches[:_MOST_SHOWN]]
        if len(self.matches) > _MOST_SHOWN:
            lines.append(f"... and {len(self.matches) - _MOST_SHOWN} more in the index of matches")
        return "\n".join([self.subject, "", *lines, "", about(self.detection)])

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for the templates of a notifier."""
        return {
            "subject": self.subject,
            "text": self.text,
            "severity": self.detection.severity,
            "title": self.detection.title,
            "rule": self.detection.name,
            "detection_id": self.detection.id,
            "channel": self.channel,
            "matches": len(self.matches),
            "first": format_instant(min(match.first for match in self.matches)),
            "last": format_instant(max(match.last for match in self.matches)),
        }


def pending_alerts(
    client: OpenSearch,
    index: str,
    detection: CompiledDetection,
    matches: Sequence[Match],
    channels: Sequence[str],
    *,
    quiet_since: datetime,
) -> list[Alert]:
    """Return what is still to be told, one alert for each channel that has not heard of some of the matches.

    :param index: the index of matches, where all of these are stored already
    :param detection: the rule
    :param matches: what it found
    :param channels: who hears of it
    :param quiet_since: a group of a threshold of which a channel heard since this instant stays quiet
    :return: the alerts; those without matches are not to be told, but remembered all the same
    :raises OpenSearchLoadError: where OpenSearch refuses, or stays out of reach
    """
    if not matches or not channels:
        return []
    heard = _heard(client, index, [match.id for match in matches])
    alerts = []
    for channel in channels:
        due = [match for match in matches if channel not in heard.get(match.id, ())]
        if not due:
            continue
        groups: set[_Group] = set()
        if detection.threshold is not None:
            groups = _groups_heard_of(client, index, detection, channel, quiet_since, due)
        told = tuple(match for match in due if _group(match) not in groups)
        alerts.append(Alert(detection, channel, told, tuple(match for match in due if _group(match) in groups)))
    return alerts


_Group = tuple[str, tuple[str, ...]]


def _group(match: Match) -> _Group:
    return match.org, tuple(sorted(match.group_lines()))


def _groups_heard_of(
    client: OpenSearch, index: str, detection: CompiledDetection, channel: str, since: datetime, due: Sequence[Match]
) -> set[_Group]:
    found: set[_Group] = set()
    for group in {_group(match) for match in due}:
        org, lines = group
        wanted = [
            {"term": {"detection.id": detection.id}},
            {"term": {NOTIFIED: channel}},
            {"term": {"org": org}},
            {"range": {"found_at": {"gte": format_instant(since)}}},
            *({"term": {"group": line}} for line in lines),
        ]
        answer = call(
            client,
            "POST",
            f"/{index}/_search",
            doing="while looking who has heard of a group",
            index=index,
            body={"size": 0, "track_total_hits": 1, "query": {"bool": {"filter": wanted}}},
        )
        if answer["hits"]["total"]["value"]:
            found.add(group)
    return found


def mark_notified(client: OpenSearch, index: str, alert: Alert, *, refresh: bool = True) -> None:
    """Remember that a channel has heard of matches, or need not. To be called once the notification went out.

    A task that is killed right before this repeats the notification; the other order would lose it.

    :param index: the index of matches
    :param alert: what was told
    :param refresh: make it visible at once, for the next look may follow at once; Amazon OpenSearch Serverless takes no
        such wish ("true refresh policy is not supported")
    :raises OpenSearchLoadError: where OpenSearch refuses, or stays out of reach
    """
    ids = [match.id for match in (*alert.matches, *alert.quiet)]
    heard = _heard(client, index, ids)
    for start in range(0, len(ids), _BATCH):
        lines = []
        for match_id in ids[start : start + _BATCH]:
            channels = sorted({*heard.get(match_id, ()), alert.channel})
            lines.append(msgspec.json.encode({"update": {"_id": match_id}}))
            lines.append(msgspec.json.encode({"doc": {NOTIFIED: channels}}))
        doing = f"while remembering who heard of {alert.detection.title}"
        answer = msgspec.json.decode(
            send(
                client,
                "POST",
                f"/{index}/_bulk",
                doing=doing,
                index=index,
                params={"refresh": "true"} if refresh else None,
                body=b"\n".join(lines) + b"\n",
                content_type="application/x-ndjson",
            )
        )
        for item in answer["items"]:
            if item["update"]["status"] >= 300:
                raise OpenSearchRequestError(
                    f"OpenSearch did not store, {doing}: {item['update'].get('error')}", index=index
                )


def _heard(client: OpenSearch, index: str, ids: Sequence[str]) -> dict[str, list[str]]:
    heard: dict[str, list[str]] = {}
    for start in range(0, len(ids), _BATCH):
        answer = call(
            client,
            "POST",
            f"/{index}/_mget",
            doing="while looking who has heard of matches",
            index=index,
            params={"_source_includes": NOTIFIED},
            body={"ids": list(ids[start : start + _BATCH])},
        )
        for document in answer["docs"]:
            if document.get("found"):
                heard[document["_id"]] = document.get("_source", {}).get(NOTIFIED, [])
    return heard


def _line(match: Match) -> str:
    when = format_instant(match.first)
    if match.events > 1:
        when += f" to {format_instant(match.last)}"
    group = ", ".join(f"{field}={value}" for field, value in match.group.items())
    counted = f"{match.values} different values in " if match.values is not None else ""
    many = f"{counted}{match.events} events, for example: " if match.events > 1 or group else ""
    return f"- {when} {match.org}{f' [{group}]' if group else ''}: {many}{match.example}"
