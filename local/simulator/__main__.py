"""``python -m local.simulator``: a simulated Okta org on this machine."""

from __future__ import annotations

import argparse
import sys
import time
from typing import TYPE_CHECKING

from local.simulator.clock import parse_instant, parse_moment
from local.simulator.limits import LimitSettings
from local.simulator.org import found
from local.simulator.server import run
from local.simulator.settings import TRANSFERS, Settings, make_token
from local.simulator.world import lateness, oddities
from local.simulator.world.event import microseconds
from local.simulator.world.stories import STORIES, Story

if TYPE_CHECKING:
    from collections.abc import Sequence


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m local.simulator", description=__doc__)
    add = parser.add_argument
    add("--host", default="127.0.0.1")
    add("--port", type=int, default=0, help="0 takes a free one; the line on standard output names it")
    add("--seed", default="1", help="equal seeds make equal events")
    add("--rate", type=float, default=60.0, help="mean events per minute over a week")
    add("--people", type=int, default=400)
    add("--rhythm", choices=("office", "flat"), default="office", help="flat: the same rate day and night")
    add("--start", default="90d", help="how far back the history goes: 90d, or an instant")
    add("--end", metavar="INSTANT", help="from when on nothing happens any more")
    add("--clock", default="real", help="real, or an instant at which it stands until the control endpoint moves it")
    add("--token", action="append", default=[], metavar="TOKEN", help="an API token; made up if there is none")
    add("--oauth-client", metavar="FILE", help="JSON of an OAuth client; written with a new key if it is not there")
    add("--rate-limit", type=int, default=120, help="requests per minute to the System Log, for the whole org")
    add("--token-share", type=float, default=0.5, help="share of the limit for one token or app")
    add("--other-requests", type=int, default=0, help="requests per minute that the org's other programs spend")
    add("--concurrency", type=int, default=75, help="requests under way at once, for the whole org")
    add("--window-offset", type=int, default=20, help="second of the clock's minute at which a rate window begins")
    add(
        "--story",
        action="append",
        default=[],
        metavar="NAME@TIME",
        help=f"{', '.join(STORIES)}; at an instant, +3m, -1h",
    )
    add("--lateness", type=lateness.parse, default="okta", help="none, okta, or usual=S,share=0..1,longest=S")
    add("--oddities", type=oddities.parse, default=oddities.NONE, help="share of odd events: 0.02 or 0.02:poison,huge")
    add("--latency", type=float, default=0.0, help="seconds that every answer takes")
    add("--transfer", choices=TRANSFERS, default="plain", help="how bodies travel")
    add("--parent", type=int, metavar="PID", help="end when this process is gone")
    add("--cache-mb", type=int, default=256, help="memory for events that were made")
    add("--control-token", help="bearer of the control endpoint; without one it answers this machine only")
    add("--public-url", help="origin to put into links, where it differs from the Host header")
    return parser


def settings(arguments: Sequence[str] | None = None) -> Settings:
    """Read the command line.

    :raises SystemExit: for one that makes no sense
    """
    parser = _parser()
    given = parser.parse_args(arguments)
    try:
        frozen = None if given.clock == "real" else microseconds(parse_instant(given.clock))
        now = time.time_ns() // 1000 if frozen is None else frozen
        start = parse_moment(f"-{given.start}" if given.start[-1:] in "smhdw" else given.start, now)
        end = None if given.end is None else parse_moment(given.end, now)
        told = [Story(name, parse_moment(at or "now", now)) for name, _, at in (s.partition("@") for s in given.story)]
        limits = LimitSettings(
            given.rate_limit, given.token_share, given.concurrency, given.other_requests, given.window_offset
        )
    except ValueError as error:
        parser.error(str(error))
    return Settings(
        host=given.host, port=given.port, seed=given.seed, rate=given.rate, people=given.people, rhythm=given.rhythm,
        start_us=start, end_us=end, frozen_us=frozen, tokens=tuple(given.token) or (make_token(),),
        oauth_client=given.oauth_client, limits=limits, lateness=given.lateness, oddities=given.oddities,
        stories=tuple((story.name, story.at_us) for story in told), control_token=given.control_token,
        latency=given.latency,
        cache_bytes=given.cache_mb * 1024 * 1024, public_url=given.public_url, transfer=given.transfer,
        parent=given.parent,
    )  # fmt: skip


def main() -> int:
    """Run a simulator until it is told to stop."""
    try:
        run(found(settings()))
    except (OSError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
