"""Derives the names of oktalogger's indices, aliases and templates."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime

from oktalogger.setting_readers import index_prefix

DEFAULT_PREFIX = "okta-system-log"


class IndexPrefixError(ValueError):
    """The index prefix cannot be used."""


@dataclass(frozen=True, slots=True)
class IndexNames:
    """Every name that derives from one prefix.

    :param prefix: the alias of the events, and the beginning of each other name: ``OKTALOGGER_INDEX_PREFIX``
    :raises IndexPrefixError: if the prefix cannot be (the start of) an index name
    """

    prefix: str = DEFAULT_PREFIX

    def __post_init__(self) -> None:
        try:
            index_prefix(self.prefix)
        except ValueError as error:
            raise IndexPrefixError(f"The index prefix {self.prefix!r} cannot be used: it takes {error}.") from None

    @property
    def alias(self) -> str:
        """The alias over all months, for reading: each month is written under an alias of its own."""
        return self.prefix

    @property
    def rejected(self) -> str:
        """The index of the events that OpenSearch refused."""
        return f"{self.prefix}-rejected"

    @property
    def ledger(self) -> str:
        """The index with one document per window."""
        return f"{self.prefix}-ledger"

    @property
    def matches(self) -> str:
        """The index of matches. With the default prefix its name is older than the rule for names."""
        return "okta-detection-matches" if self.prefix == DEFAULT_PREFIX else self.matches_template

    @property
    def matches_template(self) -> str:
        """The index template of the matches."""
        return f"{self.prefix}-detection-matches"

    @property
    def template(self) -> str:
        """The index template of the months."""
        return self.prefix

    @property
    def templates(self) -> tuple[str, ...]:
        """The names of all index templates."""
        return (self.template, *self.side_indices, self.matches_template)

    @property
    def side_indices(self) -> tuple[str, ...]:
        """The other indices, each with a template of the same name."""
        return (self.rejected, self.ledger)

    @property
    def month_pattern(self) -> str:
        """The index pattern of the months' template. It matches none of the side indices."""
        return f"{self.prefix}-20*-*"

    def month_index(self, published: datetime) -> str:
        """Name the index of an event: a pure function of ``published``, so that a second load finds the same index.

        :param published: when Okta says that the event happened; with a time zone
        :raises ValueError: if ``published`` has no time zone
        """
        if published.tzinfo is None:
            raise ValueError(f"published has no time zone: {published.isoformat()}")
        at = published.astimezone(UTC)
        return f"{self.prefix}-{at.year:04d}-{at.month:02d}"

    def is_month(self, index: str) -> bool:
        """Say whether this is the name of a month's index."""
        return re.fullmatch(r"20\d\d-(0[1-9]|1[0-2])", index.removeprefix(f"{self.prefix}-")) is not None

    def write_alias(self, index: str) -> str:
        """The alias through which one index is written.

        A write demands that the alias exists (``require_alias``). If somebody deletes the index, its alias is gone too,
        so OpenSearch cannot make the index again without our mapping.
        """
        return f"{index}-write"
