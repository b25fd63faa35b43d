"""The simulated company: people, applications, groups, policies. All of it follows from the seed.

Names are put together from a list of given and a list of family names. What repeats in events is encoded once.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from local.simulator.world.event import stream
from local.simulator.world.places import LAPTOPS, OFFICES, PHONES, Office, Place, Seat, okta_id, raw, seat

if TYPE_CHECKING:
    import random

ORG_DOMAIN = "larchandco.example"
_NAMES: dict[str, list[str]] = msgspec.json.decode(Path(__file__).with_name("names.json").read_bytes())
GIVEN, FAMILY, GROUPS = _NAMES["given"], _NAMES["family"], _NAMES["groups"]

APPS = (
    ("Okta Dashboard", 14), ("Google Workspace", 12), ("Slack", 11), ("Microsoft Office 365", 10), ("Zoom", 8),
    ("Atlassian Cloud", 7), ("GitHub Enterprise Cloud", 6), ("Salesforce.com", 6), ("AWS IAM Identity Center", 5),
    ("Workday", 4), ("ServiceNow UD", 3), ("Datadog", 3), ("Figma", 2.5), ("Notion", 2.5), ("Zendesk", 2),
    ("Snowflake", 1.5), ("Tableau Cloud", 1.5), ("DocuSign", 1), ("Greenhouse", 1), ("PagerDuty", 1), ("Lattice", 0.8),
    ("Expensify", 0.8), ("1Password Business", 0.7), ("NetSuite", 0.6), ("Coupa", 0.4), ("HubSpot", 0.4),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Named:
    """An application, group, policy, rule, zone: an id and a name."""

    id: str
    name: str
    alternate_id: str = ""


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody with an account: as actor, as target, and the seats they use."""

    id: str
    login: str
    name: str
    admin: bool
    actor: msgspec.Raw
    target: msgspec.Raw
    seats: tuple[Seat, ...]
    apps: tuple[Named, ...]
    token: Named


@dataclass(frozen=True, slots=True)
class Company:
    """Everything that traffic is made of; see :func:`found`."""

    people: tuple[tuple[Person, ...], ...]
    """By office, in the order of ``OFFICES``."""
    admins: tuple[Person, ...]
    apps: tuple[Named, ...]
    app_weights: tuple[float, ...]
    groups: tuple[Named, ...]
    sign_on_policy: Named
    sign_on_rules: tuple[Named, ...]
    app_policy: Named
    app_rules: tuple[Named, ...]
    admin_console: Named
    api_token: Named
    agent: Named
    directory: Named
    oauth_client: Named
    authorization_server: Named
    zone: Named
    everybody: tuple[Person, ...]

    def group(self, name: str) -> Named:
        """The group of that name."""
        return next(group for group in self.groups if group.name == name)


def _home(rng: random.Random, office: Office, number: int) -> Place:
    low, high = divmod(number, 200)
    return Place(
        office.city, office.state, office.country, office.postal_code,
        round(office.lat + rng.uniform(-0.2, 0.2), 4), round(office.lon + rng.uniform(-0.2, 0.2), 4),
        f"198.18.{10 + low % 200}.{high + 10}", 64500 + rng.randrange(6), "citywide broadband", "citywide broadband",
        "citywide.example",
    )  # fmt: skip


def _person(rng: random.Random, number: int, office: Office, apps: tuple[Named, ...], weights: list[float]) -> Person:
    serial, pair = divmod(number, len(GIVEN) * len(FAMILY))
    pair = pair * 5003 % (len(GIVEN) * len(FAMILY))  # 5003 is prime to the number of pairs: each comes once
    given, family = GIVEN[pair % len(GIVEN)], FAMILY[pair // len(GIVEN)]
    login = f"{given}.{family}{serial or ''}@{ORG_DOMAIN}".lower()
    identity = {"id": okta_id(rng, "00u"), "type": "User", "alternateId": login, "displayName": f"{given} {family}"}
    laptop, phone = rng.choice(LAPTOPS), rng.choice(PHONES)
    home = _home(rng, office, number)
    desk = f"{office.network}{10 + number % 200}"
    seats = (
        seat(rng, office, desk, laptop, managed=True, zone="Office Networks"),
        seat(rng, home, home.network, laptop, managed=True, zone="null"),
        seat(rng, home, f"2001:db8:{number:x}::{rng.randrange(1, 65535):x}", phone, managed=True, zone="null"),
    )
    used = {app.id: app for app in rng.choices(apps, weights, k=12)}
    return Person(
        id=identity["id"], login=login, name=identity["displayName"], admin=number < 8,
        actor=raw({**identity, "detailEntry": None}), target=raw({**identity, "detailEntry": None}),
        seats=seats, apps=tuple(used.values()), token=Named(okta_id(rng, "opf"), "Okta Verify"),
    )  # fmt: skip


def found(seed: int | str, people: int = 400) -> Company:
    """Make the company of a seed.

    :param seed: any value; equal seeds make equal companies
    :param people: how many accounts; the first eight are administrators
    """
    rng = stream(seed, "company")

    def named(prefix: str, name: str, alternate_id: str = "") -> Named:
        return Named(okta_id(rng, prefix), name, alternate_id)

    apps = tuple(named("0oa", name, name) for name, _ in APPS)
    weights = [weight for _, weight in APPS]
    edges = [sum(office.share for office in OFFICES[: index + 1]) for index in range(len(OFFICES))]
    offices: list[list[Person]] = [[] for _ in OFFICES]
    for number in range(max(people, 2 * len(OFFICES))):
        draw = rng.random() * edges[-1]
        where = number % len(OFFICES) if number < 8 else next(i for i, edge in enumerate(edges) if draw <= edge)
        offices[where].append(_person(rng, number, OFFICES[where], apps, weights))
    everybody = tuple(person for office in offices for person in office)
    return Company(
        people=tuple(tuple(office) for office in offices),
        admins=tuple(person for person in everybody if person.admin),
        apps=apps,
        app_weights=tuple(weights),
        groups=tuple(named("00g", name) for name in GROUPS),
        sign_on_policy=named("00p", "Default Policy"),
        sign_on_rules=(
            named("0pr", "Office networks"),
            named("0pr", "MFA everywhere else"),
            named("0pr", "Default Rule"),
        ),
        app_policy=named("rst", "Any two factors"),
        app_rules=(named("rul", "Managed devices"), named("rul", "Catch-all Rule")),
        admin_console=named("0oa", "Okta Admin Console", "Okta Admin Console"),
        api_token=named("00T", "provisioning-automation"),
        agent=named("a53", "larch-ad-agent-01"),
        directory=named("0oa", "Active Directory", "larchandco.example"),
        oauth_client=named("0oa", "Larch Field App"),
        authorization_server=named("aus", "larch-api"),
        zone=named("nzo", "Office Networks"),
        everybody=everybody,
    )
