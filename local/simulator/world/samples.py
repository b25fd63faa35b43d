"""Single events for tests: a whole event of which only what matters need be said."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from local.simulator.world import bodies, scenes
from local.simulator.world.event import stream

if TYPE_CHECKING:
    from local.simulator.world.traffic import World


def complete(given: dict[str, Any], world: World, key: str) -> dict[str, Any]:
    """Lay what is given over an ordinary sign-in; objects are merged, everything else is replaced.

    :param key: other keys, other ids
    """
    rng = stream(world.seed, "sample", key)
    company = world.company
    person = company.everybody[-1]
    stage = scenes.Stage(rng, company, person, person.seats[0], scenes.session_id(rng))
    body = scenes.start_session(stage, bodies.hex_id(rng), stage.session)
    whole: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(body))
    return _merge(whole, given)


def _merge(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for name, value in over.items():
        below = merged.get(name)
        merged[name] = _merge(below, value) if isinstance(value, dict) and isinstance(below, dict) else value
    return merged
