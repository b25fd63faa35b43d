"""Checks of one Okta org: host, login, scope, role, rate limit, clock and filter.

One request for one event answers all but the filter.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Final

from oktalogger.checks.model import Asked, Check, Verdict, note, ok, wrong
from oktalogger.checks.sentences import is_foreign, of_okta, one_sentence
from oktalogger.okta.errors import (
    OktaApiError,
    OktaAuthenticationError,
    OktaConfigurationError,
    OktaPermissionError,
    OktaRequestError,
    OktaScopeError,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from oktalogger.checks.sentences import Places
    from oktalogger.okta.client import ListPage
    from oktalogger.okta.errors import OktaError
    from oktalogger.okta.rate_budget import Share
    from oktalogger.okta.system_log import SystemLogClient

# What two well-kept clocks may differ by, in seconds: Okta tells the time in whole ones, and an answer takes a while.
_CLOCK_SLACK: Final = 5.0


@dataclass(frozen=True, kw_only=True)
class Org:
    """An org to ask.

    :param name: the id of its connection, or the variable with its address
    :param open: makes its client; it may raise ``unusable``
    :param filter: the filter of its connection, asked for when the connection can be used
    :param q: its keywords, likewise
    :param places: where to correct what is wrong
    :param filter_place: where the filter and the keywords stand
    :param share: the share of the rate limit that a live load may use
    :param unusable: errors of a connection that cannot be used
    :param now: the time on this machine
    """

    name: str
    open: Callable[[], SystemLogClient]
    places: Places
    filter_place: str
    share: Share
    filter: Callable[[], str | None] = lambda: None
    q: Callable[[], str | None] = lambda: None
    unusable: tuple[type[Exception], ...] = ()
    now: Callable[[], datetime] = field(default=lambda: datetime.now(UTC))

    @cached_property
    def asked(self) -> Asked[tuple[str, ListPage, datetime]]:
        """The org's address, its answer to the question for one event, and the time here when it came."""
        return Asked(self._one_event)

    def _one_event(self) -> tuple[str, ListPage, datetime]:
        with self.open() as client:
            page = client.check()
            return client.origin, page, self.now()

    @property
    def origin(self) -> str:
        """The org's address."""
        with self.open() as client:
            return client.origin


def _connection(org: Org) -> Verdict:
    refusals: tuple[type[Exception], ...] = (OktaConfigurationError, *org.unusable)
    try:
        origin = org.origin
        org.filter(), org.q()
    except refusals as error:
        return wrong(one_sentence(str(error)), error)
    return ok(f"The connection to {origin} can be read.")


def _refused(org: Org, error: OktaError) -> Verdict:
    return wrong(of_okta(error, org.origin, org.places), error)


def _host(org: Org) -> Verdict:
    error = org.asked.error
    known = isinstance(error, OktaAuthenticationError | OktaScopeError | OktaPermissionError)
    if error is None or (known and not is_foreign(error)):
        return ok(f"{org.origin} answers, and is an Okta org.")
    return _refused(org, error)  # type: ignore[arg-type]


def _login(org: Org) -> Verdict:
    error = org.asked.error
    if isinstance(error, OktaAuthenticationError):
        return _refused(org, error)
    return ok("Okta takes the login.")


def _scope(org: Org) -> Verdict:
    error = org.asked.error
    if isinstance(error, OktaScopeError):
        return _refused(org, error)
    return ok("No scope is missing.")


def _role(org: Org) -> Verdict:
    error = org.asked.error
    if isinstance(error, OktaPermissionError):
        return _refused(org, error)
    return ok("The role of this login may read the System Log.")


def _rate_limit(org: Org) -> Verdict:
    _, page, _ = org.asked.fact
    limit = page.rate_limit
    if limit is None:
        return note("Okta's answer names no rate limit, so loads assume that there is none: find out who removes it.")
    mine = org.share.exact(limit.limit)
    if mine < 1:
        return wrong(
            f"Okta allows {limit.limit} requests a minute, and a live load may use {org.share.part:g} of them, which "
            "is less than one: raise OKTALOGGER_LIVE_SHARE."
        )
    if limit.remaining <= org.share.floor(limit.limit):
        return note(
            f"Only {limit.remaining} of {limit.limit} requests are left in this minute, so loads wait for others that "
            "use the org: see Reports, Rate Limits in the Admin Console."
        )
    return ok(f"Okta allows {limit.limit} requests a minute, of which a live load uses at most {mine:.0f}.")


def _clock(org: Org) -> Verdict:
    _, page, here = org.asked.fact
    if page.answered_at is None:
        return note("Okta's answer does not tell the time, so this machine's clock could not be compared.")
    ahead = (here - page.answered_at).total_seconds()
    if abs(ahead) <= _CLOCK_SLACK:
        return ok("This machine's clock agrees with Okta's.")
    which = "ahead of" if ahead > 0 else "behind"
    return wrong(f"This machine's clock is {abs(ahead):.0f} s {which} Okta's: set it right (NTP).")


def _filter(org: Org) -> Verdict:
    wanted, keywords = org.filter(), org.q()
    if not wanted and not keywords:
        return ok("No filter leaves out events.")
    with org.open() as client:
        try:
            client.check(filter=wanted, q=keywords)
        except OktaRequestError as error:
            return wrong(
                f"Okta refuses the filter {wanted or keywords!r} in {org.filter_place} ({_words(error)}): correct it.",
                error,
            )
    return note(f"Events that do not match the filter {wanted or keywords!r} in {org.filter_place} are not loaded.")


def _words(error: OktaApiError) -> str:
    return one_sentence("; ".join(filter(None, (error.code, error.summary, *error.causes)))).rstrip(".")


CHECKS: Final[tuple[Check[Org], ...]] = (
    Check("okta connection", _connection),
    Check("okta host", _host, after=("okta connection",)),
    Check("okta login", _login, after=("okta host",)),
    Check("okta scope", _scope, after=("okta login",)),
    Check("okta role", _role, after=("okta scope",)),
    Check("okta rate limit", _rate_limit, after=("okta role",)),
    Check("okta clock", _clock, after=("okta role",)),
    Check("okta filter", _filter, after=("okta role",)),
)

NAMED: Final = "okta connection"
"""The check that has to be ok for the org to have a name."""
