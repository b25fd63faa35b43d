"""Names the places that requests come from: offices, homes, strangers' networks, and the devices in them.

Addresses come from the ranges that RFC 5737, RFC 2544 and RFC 3849 keep for documentation and benchmarks, so that no
event points at somebody real. Parts that repeat in every event from a device are encoded once.
"""

from __future__ import annotations

import string
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    import random

_BASE62 = string.digits + string.ascii_letters


@dataclass(frozen=True, slots=True)
class Place:
    """Where requests come from: a network and what a geographical database says of it."""

    city: str
    state: str
    country: str
    postal_code: str
    lat: float
    lon: float
    network: str
    as_number: int
    as_org: str
    isp: str
    domain: str
    is_proxy: bool = False

    def geography(self) -> dict[str, Any]:
        """Okta's ``geographicalContext``."""
        return {
            "city": self.city,
            "state": self.state,
            "country": self.country,
            "postalCode": self.postal_code,
            "geolocation": {"lat": self.lat, "lon": self.lon},
        }


@dataclass(frozen=True, slots=True)
class Office(Place):
    """A place with people, their working hours, and its share of the company."""

    utc_offset: int = 0
    share: float = 0.0


OFFICES = (
    Office("Amsterdam", "North Holland", "Netherlands", "1012", 52.3759, 4.8975, "192.0.2.", 64496,
           "larch and co office network", "larch and co", "larchandco.example", False, 1, 0.40),
    Office("Boston", "Massachusetts", "United States", "02110", 42.3584, -71.0598, "198.51.100.", 64497,
           "larch and co office network", "larch and co", "larchandco.example", False, -5, 0.34),
    Office("Austin", "Texas", "United States", "78701", 30.2672, -97.7431, "203.0.113.", 64498,
           "larch and co office network", "larch and co", "larchandco.example", False, -6, 0.14),
    Office("Singapore", "Central Singapore", "Singapore", "048616", 1.2840, 103.8510, "198.18.1.", 64499,
           "larch and co office network", "larch and co", "larchandco.example", False, 8, 0.12),
)  # fmt: skip
ABROAD = (
    Place("Bucharest", "Bucuresti", "Romania", "010011", 44.4323, 26.1063, "198.19.240.", 64510,
          "harbour hosting srl", "harbour hosting", "harbourhosting.example", True),
    Place("Sao Paulo", "Sao Paulo", "Brazil", "01000", -23.5475, -46.6361, "198.19.241.", 64511,
          "anonymous vpn services", "anonymous vpn", "anonvpn.example", True),
    Place("Lagos", "Lagos", "Nigeria", "100001", 6.4541, 3.3947, "198.19.242.", 64512,
          "coastline mobile", "coastline mobile", "coastline.example"),
    Place("Tallinn", "Harjumaa", "Estonia", "10111", 59.4370, 24.7535, "198.19.243.", 64513,
          "exit relay network", "exit relay", "exitrelay.example", True),
)  # fmt: skip
LAPTOPS = (
    ("Mac OS X", "CHROME", "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) "
     "Chrome/142.0.0.0 Safari/537.36", "MACOS", "26.1.0", "ALL_INTERNAL_VOLUMES"),
    ("Windows 11", "CHROME", "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "
     "Chrome/142.0.0.0 Safari/537.36", "WINDOWS", "10.0.26200.7171", "ALL_INTERNAL_VOLUMES"),
    ("Windows 11", "EDGE", "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "
     "Chrome/142.0.0.0 Safari/537.36 Edg/142.0.0.0", "WINDOWS", "10.0.26200.7171", "SYSTEM_VOLUME"),
    ("Linux", "FIREFOX", "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0", "", "", ""),
)  # fmt: skip
PHONES = (
    ("iOS (iPhone)", "SAFARI", "Mozilla/5.0 (iPhone; CPU iPhone OS 26_1 like Mac OS X) AppleWebKit/605.1.15 "
     "(KHTML, like Gecko) Version/26.1 Mobile/15E148 Safari/604.1", "IOS", "26.1", "FULL"),
    ("Android", "CHROME", "Mozilla/5.0 (Linux; Android 16; Pixel 9) AppleWebKit/537.36 (KHTML, like Gecko) "
     "Chrome/142.0.0.0 Mobile Safari/537.36", "ANDROID", "16", "USER"),
)  # fmt: skip


def okta_id(rng: random.Random, prefix: str) -> str:
    """A 20-character id in Okta's form; the prefix tells the kind (``00u`` a user, ``0oa`` an app)."""
    return prefix + "".join(rng.choices(_BASE62, k=20 - len(prefix)))


def raw(value: Any) -> msgspec.Raw:
    """A part of an event, encoded once."""
    return msgspec.Raw(msgspec.json.encode(value))


@dataclass(frozen=True, slots=True)
class Seat:
    """One way in which somebody reaches Okta: a browser on a device at a place, with its parts of an event ready."""

    ip: str
    place: Place
    browser: str
    agent: str
    client: msgspec.Raw
    request: msgspec.Raw
    security: msgspec.Raw
    device: msgspec.Raw
    dt_hash: str
    fingerprint: str
    mobile: bool


def seat(rng: random.Random, place: Place, ip: str, machine: tuple[str, ...], *, managed: bool, zone: str) -> Seat:
    """Encode what every event from this device at this place repeats.

    :param machine: system, browser, user agent, Okta's platform, version, disk encryption
    :param managed: whether the company manages the device (then events carry ``device``)
    :param zone: name of the network zone that the address falls into, or the text ``null`` as Okta writes for none
    """
    system, browser, agent, platform, version, disk = machine
    mobile = platform in ("IOS", "ANDROID")
    geography = place.geography()
    device = None
    if managed and platform:
        device = {
            "id": okta_id(rng, "guo"),
            "name": f"LARCH-{rng.getrandbits(32):08X}",
            "os_platform": platform,
            "os_version": version,
            "managed": True,
            "registered": True,
            "device_integrator": None,
            "disk_encryption_type": disk,
            "screen_lock_type": "BIOMETRIC",
            "jailbreak": False if mobile else None,
            "secure_hardware_present": True,
        }
    client = {
        "userAgent": {"rawUserAgent": agent, "os": system, "browser": browser},
        "zone": zone,
        "device": "Mobile" if mobile else "Computer",
        "id": None,
        "ipAddress": ip,
        "geographicalContext": geography,
    }
    security = {
        "asNumber": place.as_number,
        "asOrg": place.as_org,
        "isp": place.isp,
        "domain": place.domain,
        "isProxy": place.is_proxy,
        "userBehaviors": [],
    }
    hop = {"ip": ip, "geographicalContext": geography, "version": "V6" if ":" in ip else "V4", "source": None}
    return Seat(
        ip=ip, place=place, browser=browser, agent=agent, client=raw(client), request=raw({"ipChain": [hop]}),
        security=raw(security), device=raw(device), dt_hash=f"{rng.getrandbits(256):064x}",
        fingerprint=f"{rng.getrandbits(128):032x}", mobile=mobile,
    )  # fmt: skip
