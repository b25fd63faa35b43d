"""Attacks that a detection should find. Each is a fixed play around an instant, the same for the same seed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from local.simulator.world import bodies, oddities, scenes
from local.simulator.world.bodies import outcome, target, web, web_debug
from local.simulator.world.event import Event, stream, timestamp
from local.simulator.world.places import ABROAD, Place, Seat, seat

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Iterator

    from local.simulator.world.company import Company, Person
    from local.simulator.world.traffic import World

SPRAYED = 24
PUSHES = 12
_BROWSER = ("Windows 10", "CHROME", "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "
            "Chrome/131.0.0.0 Safari/537.36", "", "", "")  # fmt: skip
_SCRIPT = ("Unknown", "UNKNOWN", "python-requests/2.32.3", "", "", "")


@dataclass(frozen=True, slots=True)
class Story:
    """One telling of a story.

    :param name: a key of ``STORIES``
    :param at_us: when it begins, microseconds since 1970
    """

    name: str
    at_us: int

    def __post_init__(self) -> None:
        if self.name not in STORIES:
            raise ValueError(f"no story {self.name!r}; there are {', '.join(STORIES)}")

    def events(self, world: World) -> list[Event]:
        """What happens, in order of ``published``; ``seq`` counts from 0."""
        rng = stream(world.seed, "story", self.name, self.at_us)
        late = stream(world.seed, "story late", self.name, self.at_us)
        begin = self.at_us // 1000 * 1000
        made = []
        for number, (after, body) in enumerate(STORIES[self.name](rng, world.company)):
            published = begin + after * 1000
            body["uuid"] = bodies.uuid(rng)
            body["published"] = timestamp(published)
            persisted = published + world.delay(published, late)
            made.append(Event(published, number, body["uuid"], persisted, msgspec.json.encode(body)))
        return sorted(made)


def _plain_person(rng: random.Random, company: Company) -> Person:
    return rng.choice([person for person in company.everybody if not person.admin])


def _stranger(rng: random.Random, place: Place, machine: tuple[str, ...]) -> Seat:
    return seat(rng, place, f"{place.network}{rng.randrange(2, 250)}", machine, managed=False, zone="null")


def _stage(rng: random.Random, company: Company, person: Person, where: Seat) -> scenes.Stage:
    return scenes.Stage(rng, company, person, where, scenes.session_id(rng))


def probe_admin_console(rng: random.Random, company: Company) -> Iterator[scenes.Timed]:
    """Somebody without rights opens the Admin Console again and again."""
    person = _plain_person(rng, company)
    stage = _stage(rng, company, person, person.seats[1])
    console = target("AppInstance", company.admin_console)
    yield 0, scenes.start_session(stage, bodies.hex_id(rng), stage.session)
    for attempt in range(3):
        at, transaction = 8_000 + attempt * 21_000, bodies.hex_id(rng)
        debug = web_debug(rng, stage.seat, "/admin/dashboard", transaction, **bodies.CALM_LOG_ONLY)
        yield at, web(
            "user.session.access_admin_app", "User accessing Okta admin app", person, stage.seat,
            session=stage.session, transaction=transaction, debug=debug, targets=[console, person.target],
            result=outcome("FAILURE", "User does not have an administrator role"), severity="WARN",
            legacy="app.admin.sso.login.failure",
        )  # fmt: skip
        yield at + 40, web(
            "app.generic.unauth_app_access_attempt", "User attempted unauthorized access to app", person, stage.seat,
            session=stage.session, transaction=transaction, debug=debug, targets=[console, target(
                "AppUser", company.admin_console)], result=outcome("FAILURE", "User is not assigned to the app"),
            severity="WARN", legacy="app.generic.unauth_app_access_attempt",
        )  # fmt: skip


def join_admins(rng: random.Random, company: Company) -> Iterator[scenes.Timed]:
    """An administrator puts somebody into the group Admins."""
    boss, person = rng.choice(company.admins), _plain_person(rng, company)
    stage = _stage(rng, company, boss, boss.seats[0])
    transaction = bodies.hex_id(rng)
    yield 0, web(
        "user.session.access_admin_app", "User accessing Okta admin app", boss, stage.seat, session=stage.session,
        transaction=transaction, debug=web_debug(rng, stage.seat, "/admin/sso/request", transaction),
        targets=[target("AppInstance", company.admin_console), boss.target], legacy="app.admin.sso.login.success",
    )  # fmt: skip
    transaction, group = bodies.hex_id(rng), company.group("Admins")
    uri = f"/api/v1/groups/{group.id}/users/{person.id}"
    yield 25_000, web(
        "group.user_membership.add", "Add user to group membership", boss, stage.seat, session=stage.session,
        transaction=transaction, debug=web_debug(rng, stage.seat, uri, transaction),
        targets=[person.target, target("UserGroup", group)], legacy="core.user_group_member.user_add",
    )  # fmt: skip


def spray_passwords(rng: random.Random, company: Company) -> Iterator[scenes.Timed]:
    """One address tries two passwords on two dozen accounts in four minutes, and one of them fits."""
    thief = _stranger(rng, ABROAD[3], _SCRIPT)
    victims = rng.sample([person for person in company.everybody if not person.admin], SPRAYED)
    strange = bodies.risk_debug(
        "HIGH", ("Anomalous Location", "Anomalous Device"), ("New IP", "New Device", "New Country")
    )
    at = 0
    for _ in range(2):
        for person in victims:
            stage = _stage(rng, company, person, thief)
            transaction = bodies.hex_id(rng)
            debug = web_debug(rng, thief, "/api/v1/authn", transaction, **strange)
            yield (
                at,
                scenes.start_session(
                    stage, transaction, None, result="FAILURE", reason="INVALID_CREDENTIALS", debug=debug
                ),
            )
            at += rng.randrange(3_500, 6_000)
    yield at, web(
        "security.threat.detected", "Request from suspicious actor", bodies.SYSTEM_ACTOR, thief, session=None,
        transaction=(transaction := bodies.hex_id(rng)), severity="WARN", legacy=None,
        result=outcome("ALLOW", "Password Spray"), debug=web_debug(rng, thief, "/api/v1/authn", transaction,
        threatDetections='{"Password Spray":"HIGH"}'), targets=None,
    )  # fmt: skip
    stage = _stage(rng, company, victims[rng.randrange(SPRAYED)], thief)
    yield at + 9_000, scenes.start_session(stage, bodies.hex_id(rng), stage.session)


def tire_with_pushes(rng: random.Random, company: Company) -> Iterator[scenes.Timed]:
    """A dozen pushes in six minutes, refused until the last one is not."""
    person, thief = _plain_person(rng, company), _stranger(rng, ABROAD[0], _BROWSER)
    stage = _stage(rng, company, person, thief)
    at = 0
    for number in range(PUSHES):
        transaction = bodies.hex_id(rng)
        debug = web_debug(rng, thief, "/idp/idx/challenge", transaction, factor="OKTA_VERIFY_PUSH")
        yield at, web("system.push.send_factor_verify_push", "Send Okta Verify push factor", person, thief,
                      session=None, transaction=transaction, debug=debug, targets=[person.target])  # fmt: skip
        at += rng.randrange(6_000, 14_000)
        if number == PUSHES - 1:
            break
        yield at, scenes.deny_push(stage, transaction)
        refused = web_debug(rng, thief, "/idp/idx/authenticators/poll", transaction, factor="OKTA_VERIFY_PUSH",
                            pushOnlyResponseType="OV_RESPONSE_DENY")  # fmt: skip
        yield (
            at + 20,
            scenes.verify_factor(
                stage, transaction, None, result="FAILURE", reason="User rejected Okta push verify", debug=refused
            ),
        )
        at += rng.randrange(9_000, 20_000)
    worried = bodies.risk_debug("HIGH", ("Anomalous Location", "Anomalous Device"),
                                ("New Geo-Location", "New Device", "New IP", "New Country", "Velocity"))  # fmt: skip
    transaction = bodies.hex_id(rng)
    yield at, scenes.verify_factor(stage, transaction, stage.session)
    yield (
        at + 150,
        scenes.start_session(
            stage, transaction, stage.session, debug=web_debug(rng, thief, "/idp/idx/identify", transaction, **worried)
        ),
    )


def crowd(rng: random.Random, company: Company) -> Iterator[scenes.Timed]:
    """A thousand events in one millisecond: more than fit on a page with the events beside them."""
    for _ in range(oddities.BURST):
        person = rng.choice(company.everybody)
        stage = _stage(rng, company, person, person.seats[0])
        yield 0, scenes.open_app(stage, person.apps[0], bodies.hex_id(rng), stage.session)


STORIES: dict[str, Callable[[random.Random, Company], Iterator[scenes.Timed]]] = {
    "admin-probe": probe_admin_console,
    "admin-group": join_admins,
    "password-spray": spray_passwords,
    "mfa-fatigue": tire_with_pushes,
    "same-millisecond": crowd,
}
