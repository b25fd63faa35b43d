"""The rule format: Sigma's own keys, and ours under ``oktalogger:``. What is wrong is said with its line.

What a Sigma rule says in ``detection`` and ``correlation`` is for the compiler to understand; the rest is read here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final, Literal, TypeVar
from uuid import UUID

from oktalogger.detections.model import SEVERITIES
from oktalogger.detections.rules.cases import Case, parse_cases, parse_span
from oktalogger.detections.rules.kind_keys import (
    SeverityChange,
    read_absence,
    read_first_seen,
    read_risk,
    read_risk_sum,
    read_severity_changes,
)
from oktalogger.detections.rules.problems import Problem, RuleError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from oktalogger.detections.criteria import Absence, FirstSeen, RiskSum
    from oktalogger.detections.rules.yaml_source import YamlDocument
    from oktalogger.setting_readers import Severity

OWN: Final = "oktalogger"
OWN_KEYS: Final = (
    *("enabled", "channels", "throttle", "dedup", "cells", "first_seen", "absent", "risk_sum", "severity", "risk"),
    *("runbook", "corresponds", "tests"),
)
MOST_CELLS: Final = 100
_LONGEST_TITLE: Final = 200
_LONGEST_THROTTLE: Final = timedelta(days=1)
_TECHNIQUE: Final = re.compile(r"attack\.(t\d{4}(?:\.\d{3})?)", re.IGNORECASE)
_TACTIC: Final = re.compile(r"attack\.([a-z][a-z_-]+)", re.IGNORECASE)
# A rule of a public set, such as `elastic/impact_possible_okta_dos_attack`.
_PUBLIC_RULE: Final = re.compile(r"[a-z]+/[A-Za-z0-9_.-]+")
_TAG: Final = re.compile(r"[a-z0-9_-]+(\.[A-Za-z0-9_.-]+)+")

RuleKind = Literal["event", "threshold", "risk"]
T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Own:
    """What stands under ``oktalogger:``. The fields are those of ``CompiledDetection``, in the rule's own names.

    :param corresponds: rules of public sets that alert on the same, for the documentation only
    """

    enabled: bool = True
    channels: tuple[str, ...] | None = None
    throttle_minutes: int | None = None
    dedup: tuple[str, ...] | None = None
    cells: int | None = None
    first_seen: FirstSeen | None = None
    absent: Absence | None = None
    risk_sum: RiskSum | None = None
    severity: tuple[SeverityChange, ...] = ()
    risk: int | None = None
    runbook: str = ""
    corresponds: tuple[str, ...] = ()
    cases: tuple[Case, ...] = ()
    is_given: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A rule as far as it is understood without its `detection` or `correlation`.

    :param document: where it was read
    :param kind: whether it selects events, counts those of other rules, or adds up findings
    :param id: its UUID, empty in a rule without one that others count
    :param name: Sigma's `name`, by which correlations refer to it
    :param problems: what is wrong with it
    :param output_problems: what is wrong with it as a rule that alerts by itself, and not only lets others count
    """

    document: YamlDocument
    kind: RuleKind
    id: str = ""
    name: str = ""
    title: str = ""
    description: str = ""
    severity: Severity = "medium"
    attack: tuple[str, ...] = ()
    tactics: tuple[str, ...] = ()
    false_positives: tuple[str, ...] = ()
    references: tuple[str, ...] = ()
    own: Own = field(default_factory=Own)
    problems: tuple[Problem, ...] = ()
    output_problems: tuple[Problem, ...] = ()

    @property
    def is_usable(self) -> bool:
        """Whether its `detection` or `correlation` can be read."""
        return all(problem.is_warning for problem in self.problems)

    @property
    def is_to_be_counted(self) -> bool:
        """Whether it is meant for correlations only: it has a name, and nothing that a rule that alerts needs."""
        return bool(self.name) and self.kind == "event" and not {"id", "level", OWN} & set(self.document.data)


def read_rule(document: YamlDocument) -> Rule:
    """Read a document as a rule; what is wrong is in the rule's ``problems``."""
    return _Reader(document).read()


class _Reader:
    def __init__(self, document: YamlDocument) -> None:
        self._document = document
        self._data = document.data
        self._problems: list[Problem] = []
        self._output_problems: list[Problem] = []

    def read(self) -> Rule:
        data = self._data
        kind = _kind(data)
        refused = _refused_form(data)
        if refused is not None:
            return Rule(document=self._document, kind=kind, problems=(self._document.problem(refused[1], refused[0]),))
        self._check_body(kind)
        techniques, tactics = self._try(self._tags, "tags") or ((), ())
        own = self._try(self._own, OWN) or Own()
        rule_id = self._try(self._id, "id", into=self._output_problems) or ""
        title = self._try(self._title, "title") or ""
        severity = self._try(self._severity, "level", into=self._output_problems) or "medium"
        self._check_own(own, kind)
        return Rule(
            document=self._document,
            kind=kind,
            id=rule_id,
            name=self._try(lambda: self._text("name"), "name") or "",
            title=title,
            description=(self._try(lambda: self._text("description"), "description") or "").strip(),
            severity=severity,
            attack=techniques,
            tactics=tactics,
            false_positives=self._try(lambda: self._texts("falsepositives"), "falsepositives") or (),
            references=self._try(lambda: self._texts("references"), "references") or (),
            own=own,
            problems=tuple(self._problems),
            output_problems=tuple(self._output_problems),
        )

    def _try(self, read: Callable[[], T], *path: str, into: list[Problem] | None = None) -> T | None:
        try:
            return read()
        except RuleError as error:
            line = error.line or self._document.line(*path)
            (self._problems if into is None else into).append(Problem(self._document.file, line, str(error)))
            return None

    def _check_body(self, kind: RuleKind) -> None:
        data, document = self._data, self._document
        if kind == "risk":
            return
        body = data.get("correlation" if kind == "threshold" else "detection")
        if kind == "threshold":
            if "detection" in data:
                self._problems.append(
                    document.problem("a rule has either `detection` or `correlation`; put the other into its own rule")
                )
            if not isinstance(body, dict):
                self._problems.append(document.problem("`correlation` must be a mapping", "correlation"))
            return
        if not isinstance(body, dict):
            what = "must be a mapping" if "detection" in data else "is missing: it says which events the rule finds"
            self._problems.append(document.problem(f"`detection` {what}", "detection"))
        elif not body.get("condition"):
            self._problems.append(document.problem("`detection` needs a `condition`", "detection"))
        source = data.get("logsource")
        found = {str(key): value for key, value in source.items()} if isinstance(source, dict) else {}
        if (found.get("product"), found.get("service")) != ("okta", "okta"):
            self._problems.append(
                document.problem(
                    "`logsource` must say `product: okta` and `service: okta`; other logs are not here", "logsource"
                )
            )

    def _title(self) -> str:
        title = self._text("title").strip()
        if not title:
            raise RuleError("the rule needs a `title`")
        if len(title) > _LONGEST_TITLE or "\n" in title:
            raise RuleError(f"the `title` must be one line of at most {_LONGEST_TITLE} characters")
        return title

    def _id(self) -> str:
        value = self._data.get("id")
        if value is None:
            raise RuleError("the rule needs an `id`, a UUID (`python -m oktalogger detections new` makes one)")
        try:
            return str(UUID(str(value)))
        except ValueError:
            raise RuleError(f"the `id` {value!r} is not a UUID") from None

    def _severity(self) -> Severity:
        value = self._data.get("level")
        for severity in SEVERITIES:
            if isinstance(value, str) and value.lower() == severity:
                return severity
        raise RuleError(f"the `level` is {value!r}; it must be one of {', '.join(SEVERITIES)}")

    def _tags(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        tags = self._texts("tags")
        for tag in tags:
            if not _TAG.fullmatch(tag):
                raise RuleError(f"the tag {tag!r} is not of the form `attack.t1098.003`", self._line_of("tags", tag))
        techniques = [found[1].upper() for tag in tags if (found := _TECHNIQUE.fullmatch(tag))]
        tactics = [
            found[1].lower().replace("_", "-")
            for tag in tags
            if not _TECHNIQUE.fullmatch(tag) and (found := _TACTIC.fullmatch(tag))
        ]
        return tuple(techniques), tuple(tactics)

    def _own(self) -> Own:
        if OWN not in self._data:
            return Own()
        given = self._data[OWN]
        if not isinstance(given, dict):
            raise RuleError(f"`{OWN}` must be a mapping with some of {', '.join(OWN_KEYS)}")
        for key in given:
            if key not in OWN_KEYS:
                raise RuleError(
                    f"`{OWN}` has no key `{key}`; it takes {', '.join(OWN_KEYS)}", self._document.line(OWN, str(key))
                )
        return Own(
            enabled=self._own_part(given, "enabled", _enabled, True),
            channels=self._own_part(given, "channels", _channels, None),
            throttle_minutes=self._own_part(given, "throttle", _throttle, None),
            dedup=self._own_part(given, "dedup", _dedup, None),
            cells=self._own_part(given, "cells", _cells, None),
            first_seen=self._own_part(given, "first_seen", read_first_seen, None),
            absent=self._own_part(given, "absent", read_absence, None),
            risk_sum=self._own_part(given, "risk_sum", read_risk_sum, None),
            severity=self._own_part(given, "severity", read_severity_changes, ()),
            risk=self._own_part(given, "risk", read_risk, None),
            runbook=self._own_part(given, "runbook", _runbook, ""),
            corresponds=self._own_part(given, "corresponds", _corresponds, ()),
            cases=self._own_part(given, "tests", lambda tests: parse_cases(self._document, tests), ()),
            is_given=True,
        )

    def _own_part(self, given: dict[str, Any], key: str, read: Callable[[Any], T], default: T) -> T:
        if key not in given:
            return default
        found = self._try(lambda: read(given[key]), OWN, key)
        return default if found is None else found

    def _check_own(self, own: Own, kind: RuleKind) -> None:
        unused = {key: why for key, value, why in _unused(own, kind) if value is not None}
        for key, why in unused.items():
            self._problems.append(self._document.problem(f"`{key}` has no effect {why}; leave it out", OWN, key))

    def _text(self, key: str) -> str:
        value = self._data.get(key)
        if value is not None and not isinstance(value, str):
            raise RuleError(f"`{key}` must be text")
        return value or ""

    def _texts(self, key: str) -> tuple[str, ...]:
        value = self._data.get(key)
        if value is None:
            return ()
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise RuleError(f"`{key}` must be a list of texts")
        return tuple(item.strip() for item in value)

    def _line_of(self, key: str, item: str) -> int:
        return self._document.line(key, self._data[key].index(item))


def check_tests(rule: Rule) -> Iterable[Problem]:
    """Say whether the rule shows by tests what it finds and what it leaves alone.

    A public rule, dropped in unchanged, has nothing under ``oktalogger:``. Only for such a rule it is a warning.
    """
    wanted = [("match: true", True), ("match: false", False)]
    if rule.kind == "risk":
        # It is about findings, and a test case has events.
        return
    missing = [text for text, match in wanted if not any(case.match is match for case in rule.own.cases)]
    if missing and len(missing) < len(wanted):
        message = f"`oktalogger.tests` has no case with `{missing[0]}`"
    elif missing:
        message = "the rule has no tests: `oktalogger.tests` needs at least a match and a near miss"
    else:
        return
    if not any(problem.message.startswith("`oktalogger.tests`") for problem in rule.problems):
        yield rule.document.problem(message, OWN, "tests", is_warning=not rule.own.is_given)


def _kind(data: dict[str, Any]) -> RuleKind:
    if "correlation" in data:
        return "threshold"
    own = data.get(OWN)
    is_of_findings = isinstance(own, dict) and "risk_sum" in own and "detection" not in data
    return "risk" if is_of_findings else "event"


def _refused_form(data: dict[str, Any]) -> tuple[str, str] | None:
    if "action" in data:
        return "action", f"`action: {data['action']}` is not supported; write each rule out, or use a correlation"
    return None


def _unused(own: Own, kind: RuleKind) -> Iterator[tuple[str, Any, str]]:
    if kind == "risk":
        why = "beside `risk_sum`, which adds up findings"
        for key in ("dedup", "cells", "first_seen", "absent", "risk"):
            yield key, getattr(own, key), why
        yield "severity", own.severity or None, why
        yield "tests", own.cases or None, why
        return
    yield "risk_sum", own.risk_sum, "beside a `detection` or `correlation`"
    if own.absent is not None:
        yield "severity", own.severity or None, "beside `absent`, which has no event to look at"
    if kind == "threshold":
        why = "on a correlation, whose alerts are one for each `group-by`"
        yield from (("dedup", own.dedup, why), ("cells", own.cells, why))
        why = "on a correlation; it belongs into a rule with a `detection`"
        yield from (("first_seen", own.first_seen, why), ("absent", own.absent, why))
    elif own.absent is not None:
        why = "beside `absent`, whose alerts are one for each `group-by` in it"
        yield from (("dedup", own.dedup, why), ("cells", own.cells, why), ("first_seen", own.first_seen, why))
    elif own.first_seen is not None:
        yield "cells", own.cells, "beside `first_seen`, which runs after each load and not as a monitor"


def _enabled(value: Any) -> bool:
    if not isinstance(value, bool):
        raise RuleError(f"`oktalogger.enabled` is {value!r}; it must be true or false")
    return value


def _channels(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(item, str) and item.strip() for item in value):
        raise RuleError("`oktalogger.channels` must be a list of the names of notification channels")
    if len(set(value)) != len(value):
        raise RuleError("`oktalogger.channels` names a channel twice")
    return tuple(value)


def _throttle(value: Any) -> int:
    span = parse_span(value, what="oktalogger.throttle")
    if not timedelta(minutes=1) <= span <= _LONGEST_THROTTLE or span % timedelta(minutes=1):
        raise RuleError(f"`oktalogger.throttle` is {value}; OpenSearch takes whole minutes, from 1m to 1d")
    return span // timedelta(minutes=1)


def _dedup(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(item, str) and item.strip() for item in value):
        raise RuleError("`oktalogger.dedup` must be a list of the names of fields; [] makes one alert for each org")
    return tuple(value)


def _cells(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= MOST_CELLS:
        raise RuleError(f"`oktalogger.cells` is {value!r}; it must be a whole number from 1 to {MOST_CELLS}")
    return value


def _runbook(value: Any) -> str:
    if not isinstance(value, str):
        raise RuleError("`oktalogger.runbook` must be text")
    return value.strip()


def _corresponds(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(item, str) and _PUBLIC_RULE.fullmatch(item) for item in value):
        raise RuleError("`oktalogger.corresponds` must be a list of public rules, each as `source/name`")
    return tuple(value)
