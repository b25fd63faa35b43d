"""Names the rules that look at fields which redaction changes: what is not stored cannot be compared."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from oktalogger.detections.rules.problems import Problem
from oktalogger.pipeline.added_fields import LIFTED, TARGET_FIELDS
from oktalogger.privacy.places import DEVICE, KNOWN, PERSON, PERSONAL, URLS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from oktalogger.detections.model import CompiledDetection
    from oktalogger.privacy.places import DataClass
    from oktalogger.privacy.policy import Action, Policy

_OWN: Final = "oktalogger."
_PEOPLE: Final = ("any", "user", "app_user", "other", "phone")
# Fields that are derived from several of Okta's, or from one of another name.
_DERIVED_FROM: Final = {
    "source_ip": "client.ipAddress",
    "request_ips": "request.ipChain.ip",
    "change_details": "target.changeDetails",
    "changes": "target.changeDetails",
    "device_ids": "target.detailEntry.oktaDeviceId",
}
_OKTAS: Final = {field.path: field.okta for field in LIFTED if field.okta}
_SENT_AS: Final = {name: key for key, name in TARGET_FIELDS.items()}


def redacted_rules(detections: Iterable[CompiledDetection], policy: Policy) -> tuple[Problem, ...]:
    """Return a warning for each rule that needs a field which the policy changes.

    :param detections: the rules
    :param policy: what is redacted
    """
    found = []
    for detection in detections:
        actions = {field: action for field in looked_at(detection) if (action := action_on(field, policy)) != "keep"}
        if actions:
            found.append(Problem(detection.file, detection.line, _sentence(detection, actions), is_warning=True))
    return tuple(found)


def looked_at(detection: CompiledDetection) -> tuple[str, ...]:
    """Return the index fields without which a rule does not find what it is to find.

    :param detection: the rule; what is first seen is new for a dedup key, so that its fields count there
    """
    known_for = detection.dedup if detection.first_seen is not None else ()
    return tuple(dict.fromkeys([*detection.fields, *known_for]))


def action_on(field: str, policy: Policy) -> Action:
    """Return what a policy does to the values of an index field.

    :param field: its name
    :param policy: the policy
    """
    if not field.startswith(_OWN):
        return policy.at(field, class_of(field))
    own = field.removeprefix(_OWN)
    kind, _, name = own.removeprefix("target.").partition(".")
    if own.startswith("target.") and name in _SENT_AS:
        key = _SENT_AS[name]
        if kind in _PEOPLE and key in PERSON:
            return policy.at(f"target.{key}", PERSON[key])
        return policy.at(f"target.{key}", DEVICE.get(key) if kind == "device" else None)
    path = _DERIVED_FROM.get(own) or _OKTAS.get(own)
    return "keep" if path is None else policy.at(path, class_of(path))


def class_of(path: str) -> DataClass | None:
    """Return the class of a field of Okta's event, None for one that is not personal.

    :param path: its name, without positions in arrays
    """
    who, _, key = path.partition(".")
    if who in ("actor", "target") and key in PERSON:
        return PERSON[key]
    if path in PERSONAL:
        return PERSONAL[path]
    above = [path[: position.start()] + ".*" for position in re.finditer(r"\.", path)]
    is_known = path in KNOWN or any(wildcard in KNOWN for wildcard in above)
    return None if is_known and path not in URLS else "free_text"


def _sentence(detection: CompiledDetection, actions: Mapping[str, Action]) -> str:
    threshold = detection.threshold
    grouped = {*threshold.group_by, *filter(None, [threshold.counted])} if threshold else set(detection.dedup)
    parts = []
    for field, action in actions.items():
        if _is_compared(field, detection.selection) and action != "keep":
            parts.append(f"{field} ({action}), which it compares with values that are no longer stored")
        elif field in grouped and action == "drop":
            parts.append(f"{field} (drop), by which it groups or counts: it counts nothing, or everybody as one")
        else:
            parts.append(f"{field} ({action}), of which it needs only that values are equal, or there")
    return f"{detection.name} needs what OKTALOGGER_REDACT changes: {'; '.join(parts)}"


def _is_compared(field: str, selection: str) -> bool:
    return re.search(rf"(?<![\w.:]){re.escape(field)}:", selection) is not None
