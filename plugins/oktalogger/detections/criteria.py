"""Says what the kinds of rules look for beyond one event: counts, what is first seen, what is missing, sums of risk."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

Measure = Literal["count", "sum", "average", "percentile"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RulePart:
    """One of the rules whose events a ``temporal`` correlation wants together.

    :param title: the rule's title
    :param query: query_string that selects its events
    """

    title: str
    query: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Threshold:
    """A threshold: what a correlation counts or measures among the events that the query matches, and up to where.

    :param counted: index field whose values are counted or measured; ``None`` counts the events themselves
    :param group_by: index fields; each combination of their values is counted separately
    :param seconds: length of the time slots of ``published``
    :param at_least: the lowest number that fires
    :param measure: ``count`` counts events, or the distinct values of ``counted``; the others compute one number of all
        values of ``counted``, which then is a number field
    :param percentile: which percentile, 0 to 100
    :param parts: rules that must all have matched within a slot; the number of events then does not matter
    :param in_order: whether they must have matched in the order of ``parts``
    :param with_query: query_string of events of which a slot must hold one; empty where that does not matter
    :param without_query: query_string of events of which a slot must hold none
    """

    counted: str | None
    group_by: tuple[str, ...]
    seconds: int
    at_least: float
    measure: Measure = "count"
    percentile: float | None = None
    parts: tuple[RulePart, ...] = ()
    in_order: bool = False
    with_query: str = ""
    without_query: str = ""

    @property
    def timespan(self) -> timedelta:
        """The slot's length as a time span."""
        return timedelta(seconds=self.seconds)

    @property
    def wanted(self) -> str:
        """What is reached when it fires, in words."""
        if self.parts:
            listed = " and ".join(f'"{part.title}"' for part in self.parts)
            return f"events of the rules {listed}{', in this order,' if self.in_order else ''}"
        if self.counted is None:
            return f"at least {self.at_least:g} events"
        if self.measure == "count":
            return f"at least {self.at_least:g} different values of {self.counted}"
        name = f"{self.percentile:g}th percentile" if self.percentile is not None else self.measure
        return f"a {name} of {self.counted} of at least {self.at_least:g}"


@dataclass(frozen=True, slots=True, kw_only=True)
class FirstSeen:
    """What a rule of the kind ``first_seen`` calls new: a value that its dedup key did not have before.

    :param fields: index fields whose combination of values is new
    :param seconds: how long the combination must not have been there
    :param newcomers: whether it is also new where the dedup key itself was not there within that time
    """

    fields: tuple[str, ...]
    seconds: int
    newcomers: bool = False

    @property
    def history(self) -> timedelta:
        """How far back it looks."""
        return timedelta(seconds=self.seconds)


@dataclass(frozen=True, slots=True, kw_only=True)
class Absence:
    """What a rule of the kind ``absent`` misses: events that came, and come no more.

    :param seconds: how long none came
    :param group_by: index fields; each combination of their values is expected separately
    :param history_seconds: within which time before one must have come, for the rule to expect more
    """

    seconds: int
    group_by: tuple[str, ...]
    history_seconds: int

    @property
    def silence(self) -> timedelta:
        """How long none came."""
        return timedelta(seconds=self.seconds)

    @property
    def history(self) -> timedelta:
        """Within which time one must have come before."""
        return timedelta(seconds=self.history_seconds)


@dataclass(frozen=True, slots=True, kw_only=True)
class RiskSum:
    """What a rule of the kind ``risk_sum`` adds up: the findings of all other rules about one actor in one day (UTC).

    Each rule counts once, with its highest risk.

    :param at_least: the lowest sum that fires
    :param rules: the lowest number of different rules that fires
    """

    at_least: int
    rules: int
