"""Checks an archive: whether all that was written is there, unchanged, and nothing else, and whether the seals hold."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from oktalogger.pipeline.archive.catalog import read_manifests
from oktalogger.pipeline.archive.errors import ArchiveDamagedError, ArchiveMissingError
from oktalogger.pipeline.archive.lines import events_of
from oktalogger.pipeline.archive.object_names import FOLDERS, read_name, seals_prefix
from oktalogger.pipeline.archive.records import Seal, check_content, decode, seal_claims, sha256_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from oktalogger.pipeline.archive.catalog import Reading
    from oktalogger.pipeline.archive.object_names import ObjectName
    from oktalogger.pipeline.archive.place import ArchiveStore
    from oktalogger.pipeline.archive.records import ArchivedObject

_READERS: Final = 8


@dataclass(slots=True)
class ArchiveCheck:
    """What is wrong with an archive, each as the name of an object, or as a sentence that begins with it.

    :param objects: how many objects of events manifests list
    :param events: how many events these hold, each as often as it was read
    :param manifests: how many manifests there are
    :param seals: how many seals there are
    :param newest_seal: name and hash of the newest; compare the hash with the one in Airflow's log of that day
    :param missing: what a manifest or a seal names and is not there
    :param changed: what does not hold what its name, its manifest or its seal says
    :param foreign: what no manifest lists, and no seal has noted as left behind by a load that came to no end
    :param overwritten: what has had other bytes before, where the store knows
    :param broken: breaks of the chain of seals
    :param unsealed: manifests that no seal lists yet: what was loaded since the last closed day, in a sound archive
    :param unclaimed: what loads left behind that came to no end, as seals have noted: it proves nothing
    """

    objects: int = 0
    events: int = 0
    manifests: int = 0
    seals: int = 0
    newest_seal: tuple[str, str] | None = None
    missing: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)
    overwritten: list[str] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)
    unsealed: list[str] = field(default_factory=list)
    unclaimed: list[str] = field(default_factory=list)

    @property
    def sound(self) -> bool:
        """Whether nothing is wrong."""
        return not (self.missing or self.changed or self.foreign or self.overwritten or self.broken)


def orgs_of(store: ArchiveStore) -> list[str]:
    """Name the orgs that have something in an archive."""
    found = {name.org for folder in FOLDERS for one in store.names(folder) if (name := read_name(one)) is not None}
    return sorted(found)


def check_archive(store: ArchiveStore, org: str, *, content: bool = True, trusted: str | None = None) -> ArchiveCheck:
    """Check all that the archive has of an org.

    :param store: the archive
    :param org: the Okta org's host name
    :param content: whether to read every object; without it, only names, manifests and seals are checked
    :param trusted: SHA-256 of a seal that was kept elsewhere; it must be in the chain
    :raises ArchiveError: if the archive cannot be read
    """
    check = ArchiveCheck()
    names, odd = _names(store, org)
    check.foreign += odd
    of_kind = {kind: [name for name in names if name.kind == kind] for kind in ("events", "manifest", "part", "seal")}
    readings, damaged = read_manifests(store, [name.name for name in of_kind["manifest"]])
    check.changed += [sentence for _, sentence in damaged]
    check.manifests = len(of_kind["manifest"])
    for reading in readings:
        if reading.manifest.org != org:
            check.foreign.append(f"{reading.manifest.name} is of another org")
    _check_claims(check, readings, names, [window for window, _ in damaged])
    _check_seals(check, store, org, of_kind["seal"], {name.name for name in of_kind["manifest"]}, trusted)
    known = set(check.unclaimed)
    check.foreign = [name for name in check.foreign if name not in known]
    listed = {one.name: one for reading in readings for one in reading.objects}
    check.objects, check.events = len(listed), sum(one.events for one in listed.values())
    if content:
        there = {name.name for name in of_kind["events"]}
        check.changed += _unlike(store, [one for name, one in sorted(listed.items()) if name in there])
    for folder in FOLDERS:
        check.overwritten += store.overwritten(f"{folder}org={quote(org, safe='')}/")
    return check


def _names(store: ArchiveStore, org: str) -> tuple[list[ObjectName], list[str]]:
    """Return what is there under our names, and what is there under others."""
    ours, odd = [], []
    for folder in FOLDERS:
        for one in store.names(f"{folder}org={quote(org, safe='')}/"):
            name = read_name(one)
            if name is None:
                odd.append(one)
            else:
                ours.append(name)
    return ours, odd


def _check_claims(
    check: ArchiveCheck, readings: Iterable[Reading], names: Iterable[ObjectName], unreadable: Iterable[object]
) -> None:
    """Compare what is there with what manifests list."""
    claimed = {name for reading in readings for name in (*reading.manifest.parts, *(o.name for o in reading.objects))}
    there = {name.name: name for name in names if name.kind in ("events", "part")}
    lost = set(unreadable)
    check.missing += sorted(claimed - there.keys())
    # Nobody can tell what a manifest listed that was changed.
    check.foreign += sorted(name for name in there.keys() - claimed if there[name].window not in lost)


def _check_seals(
    check: ArchiveCheck,
    store: ArchiveStore,
    org: str,
    seals: list[ObjectName],
    manifests: set[str],
    trusted: str | None,
) -> None:
    """Follow the chain from its beginning, and compare each manifest with the hash in its seal."""
    sealed: set[str] = set()
    before: tuple[str, str] | None = None
    hashes = set()
    for name in seals:
        body = store.get(name.name)
        hashes.add(sha256_of(body))
        try:
            seal = decode(body, Seal, name.name)
            seal_claims(seal, org, name)
        except ArchiveDamagedError as error:
            check.changed.append(str(error))
            before = name.name, sha256_of(body)
            continue
        said = (seal.previous.name, seal.previous.sha256) if seal.previous else None
        if said != before:
            check.broken.append(
                f"{name.name} follows {said[0] if said else 'nothing'} with another hash than what is before it now: "
                f"{before[0] if before else 'nothing'}"
            )
        sealed |= {one.name for one in seal.manifests}
        check.unclaimed += seal.unclaimed
        check.missing += sorted({one.name for one in seal.manifests} - manifests)
        hashes_of = {one.name: one.sha256 for one in seal.manifests if one.name in manifests}
        check.changed += [
            f"{one} is not as {name.name} has sealed it"
            for one, found in _hashes(store, hashes_of)
            if found != hashes_of[one]
        ]
        before = name.name, sha256_of(body)
    check.seals, check.newest_seal = len(seals), before
    check.unsealed += sorted(manifests - sealed)
    if trusted is not None and trusted not in hashes:
        check.broken.append(f"no seal of {seals_prefix(org)} has the hash {trusted}")


def _hashes(store: ArchiveStore, names: Iterable[str]) -> list[tuple[str, str]]:
    with ThreadPoolExecutor(_READERS, thread_name_prefix="archive") as readers:
        return list(readers.map(lambda name: (name, sha256_of(store.get(name))), names))


def _unlike(store: ArchiveStore, objects: Iterable[ArchivedObject]) -> list[str]:
    """Name the objects that do not hold what their names and manifests say."""

    def trouble(one: ArchivedObject) -> str | None:
        try:
            body = store.get(one.name)
            check_content(body, one.name)
            found = len(events_of(body, one.name))
        except (ArchiveDamagedError, ArchiveMissingError) as error:
            return str(error)
        return None if found == one.events else f"{one.name} holds {found} events, and its manifest says {one.events}."

    with ThreadPoolExecutor(_READERS, thread_name_prefix="archive") as readers:
        return [found for found in readers.map(trouble, objects) if found is not None]
