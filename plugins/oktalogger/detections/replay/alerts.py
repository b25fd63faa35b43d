"""Alerts without the Alerting plugin: who has heard of which match, and what they are told.

A match remembers the channels that heard of it. So nobody hears of the same events twice, and a notification that did
not go out is tried again. A group that fired stays quiet for as long as a monitor's alert would stay active.
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import msgspec

from oktalogger.detections.messages import about
from oktalogger.opensearch.bulk import BulkWriter
from oktalogger.opensearch.documents import Document, Revision
from oktalogger.opensearch.errors import OpenSearchRequestError
from oktalogger.opensearch.request import AS_LONG_AS_A_BULK, call, search
from oktalogger.text import counted, harmless
from oktalogger.window import format_instant

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence
    from datetime import datetime

    from opensearchpy import OpenSearch

    from oktalogger.detections.model import CompiledDetection
    from oktalogger.detections.replay.matches import Match
    from oktalogger.opensearch.request import RequestRetry

log = logging.getLogger(__name__)

NOTIFIED: Final = "notified"
_BATCH: Final = 1000
# A match that somebody deleted will not be told of again.
_GONE: Final = "document_missing_exception"
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
        lines = [_line(self.detection, match) for match in self.matches[:_MOST_SHOWN]]
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
            "attack": list(self.detection.attack),
            "tactics": list(self.detection.tactics),
            "risk": self.detection.risk_score,
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
    :raises OpenSearchLoadError: if OpenSearch refuses, or stays out of reach
    """
    if not matches or not channels:
        return []
    heard = {note.match_id: note.channels for note in _notes(client, index, [match.id for match in matches])}
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
        body = {"size": 0, "track_total_hits": 1, "query": {"bool": {"filter": wanted}}}
        answer = search(client, index, body, doing="while looking who has heard of a group", may_be_absent=False)
        if answer["hits"]["total"]["value"]:
            found.add(group)
    return found


def mark_notified(
    client: OpenSearch,
    index: str,
    alert: Alert,
    *,
    refresh: bool = True,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Remember that a channel has heard of matches, or need not. To be called once the notification went out.

    A task that is killed right before this repeats the notification; the other order would lose it. Two tasks may
    remember two channels of one match at once: the second one's update is refused, and made again from what the first
    one wrote. A script in the update would need no second try, but an administrator may have switched scripts off, and
    what AWS says of Amazon OpenSearch Serverless leaves open whether it takes them in updates.

    :param index: the index of matches
    :param alert: what was told
    :param refresh: make it visible at once, for the next look may follow at once; Amazon OpenSearch Serverless takes no
        such wish ("true refresh policy is not supported")
    :param sleep: waits that many seconds
    :raises OpenSearchRequestError: if OpenSearch refuses one for good; the others are remembered
    :raises OpenSearchLoadError: if OpenSearch refuses for another reason, or stays out of reach
    """

    def updates(match_ids: Collection[str]) -> list[Document]:
        notes = _notes(client, index, list(match_ids), retry=AS_LONG_AS_A_BULK, sleep=sleep)
        if len(notes) < len(match_ids):
            gone = len(match_ids) - len(notes)
            log.warning("%d matches are no longer in %s: who heard of them is not remembered.", gone, index)
        return list(_updates(index, notes, alert.channel))

    result = BulkWriter(client, sleep=sleep).write(
        updates([match.id for match in (*alert.matches, *alert.quiet)]),
        refresh=refresh,
        renew=lambda stale: updates([document.id for document in stale]),
    )
    refused = [one for one in result.rejected if one.reason_type != _GONE]
    if refused:
        raise OpenSearchRequestError(
            f"{alert.channel} was told of {alert.detection.title}, but OpenSearch refused to remember that for "
            f"{len(refused)} matches, the first with {refused[0].reason_type}: {refused[0].reason}. The next look "
            f"would tell of them again. Look at the mapping and settings of {index}.",
            error_type=refused[0].reason_type,
            reason=refused[0].reason,
            index=index,
        )


def _updates(index: str, notes: Sequence[_Note], channel: str) -> Iterator[Document]:
    """Make the updates that add a channel to those who heard of matches; none if it is there already."""
    for note in notes:
        if channel not in note.channels:
            change = {"doc": {NOTIFIED: sorted({*note.channels, channel})}}
            yield Document(note.match_id, index, msgspec.json.encode(change), action="update", read=note.read)


@dataclass(frozen=True, slots=True)
class _Note:
    """Who has heard of a match, as it was read.

    :param match_id: of the match
    :param channels: who has heard of it
    :param read: which writing of the match says so, None if the server does not tell
    """

    match_id: str
    channels: tuple[str, ...]
    read: Revision | None


def _notes(
    client: OpenSearch,
    index: str,
    ids: Sequence[str],
    *,
    retry: RequestRetry | None = None,
    sleep: Callable[[float], None] = time.sleep,
) -> list[_Note]:
    notes: list[_Note] = []
    for start in range(0, len(ids), _BATCH):
        answer = call(
            client,
            "POST",
            f"/{index}/_mget",
            doing="while looking who has heard of matches",
            index=index,
            params={"_source_includes": NOTIFIED},
            body={"ids": list(ids[start : start + _BATCH])},
            retry=retry,
            sleep=sleep,
        )
        for found in answer["docs"]:
            if found.get("found"):
                channels = found.get("_source", {}).get(NOTIFIED) or []
                told = "_seq_no" in found and "_primary_term" in found
                read = Revision(found["_seq_no"], found["_primary_term"]) if told else None
                notes.append(_Note(found["_id"], tuple(channels), read))
    return notes


def _line(detection: CompiledDetection, match: Match) -> str:
    if detection.absence is not None:
        return f"- none in {match.org}{_in_brackets(match)} since {format_instant(match.last)}: {match.example}"
    when = format_instant(match.first)
    if detection.risk_sum is not None:
        return (
            f"- {format_instant(match.last)} {match.org}{_in_brackets(match)}: risk {match.values:g}, {match.example}"
        )
    if match.events > 1:
        when += f" to {format_instant(match.last)}"
    many = (
        f"{_counted(detection, match)}{counted(match.events, 'event')}, for example: "
        if match.events > 1 or match.group
        else ""
    )
    return f"- {when} {match.org}{_in_brackets(match)}: {many}{harmless(match.example)}"


def _in_brackets(match: Match) -> str:
    group = ", ".join(f"{field}={harmless(value)}" for field, value in match.group.items())
    return f" [{group}]" if group else ""


def _counted(detection: CompiledDetection, match: Match) -> str:
    if match.values is None:
        return ""
    if detection.threshold is None or detection.threshold.measure == "count":
        return f"{match.values:g} different values in "
    return f"{detection.threshold.measure} {match.values:g} in "
