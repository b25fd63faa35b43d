"""Defines what the archive says of itself: the manifest of a window, and the seal of a day."""

from __future__ import annotations

import hashlib
from datetime import datetime
from typing import Final, Literal, TypeVar

import msgspec

from oktalogger.pipeline.archive.errors import ArchiveDamagedError
from oktalogger.pipeline.archive.object_names import ObjectName, manifest_name, read_name
from oktalogger.window import Window, WindowError

FORMAT: Final = 1
"""The version of the format; a reader refuses a newer one."""

T = TypeVar("T")


class ArchivedObject(msgspec.Struct, frozen=True):
    """An object of events.

    :param name: its name in the archive
    :param events: how many it holds
    :param bytes: its size
    """

    name: str
    events: int
    bytes: int


class Listing(msgspec.Struct, frozen=True):
    """The objects that a load has written so far. The ledger keeps it, so that a later try can go on.

    :param where: the archive that they are in
    :param parts: names of the parts of the manifest that are written already, for loads of many pages
    :param objects: the objects since the last of these parts
    :param events: how many events all of them hold
    :param bytes: their size
    :param first_published: earliest ``published`` among the events
    :param last_published: latest ``published`` among the events
    """

    where: str
    parts: tuple[str, ...] = ()
    objects: tuple[ArchivedObject, ...] = ()
    events: int = 0
    bytes: int = 0
    first_published: datetime | None = None
    last_published: datetime | None = None


class ManifestPart(msgspec.Struct, frozen=True, kw_only=True):
    """A part of a manifest, named by the hash of its bytes.

    :param objects: the objects that it lists
    """

    version: int = FORMAT
    objects: tuple[ArchivedObject, ...] = ()


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """What one load of one window read.

    :param org: the Okta org's host name
    :param kind: what kind of load it was
    :param window_start: first instant of the window
    :param window_end: first instant after it
    :param reads_from: where reading began: before the window, by the overlap
    :param filter: Okta's filter expression that it read through
    :param q: Okta's keyword search, likewise
    :param state: ``older_than_kept`` says that Okta had deleted a part of the window before
    :param events: how many events Okta sent
    :param bytes: size of all objects
    :param first_published: earliest ``published``
    :param last_published: latest ``published``
    :param parts: names of the parts that list further objects
    :param objects: the objects
    :param run_id: the run that wrote it first
    :param began: when the first try of that load began
    :param completed: when everything was in the archive
    :param sha256: hash of all this, without this field
    """

    version: int = FORMAT
    org: str
    kind: str
    window_start: datetime
    window_end: datetime
    reads_from: datetime
    filter: str | None = None
    q: str | None = None
    state: Literal["complete", "older_than_kept"] = "complete"
    events: int = 0
    bytes: int = 0
    first_published: datetime | None = None
    last_published: datetime | None = None
    parts: tuple[str, ...] = ()
    objects: tuple[ArchivedObject, ...] = ()
    run_id: str = ""
    began: datetime | None = None
    completed: datetime | None = None
    sha256: str = ""

    @property
    def window(self) -> Window:
        """The window that the load answers for."""
        return Window(self.window_start, self.window_end)

    @property
    def name(self) -> str:
        """Its name: the same for the same reading, whenever and by whatever run that was written down."""
        listed = msgspec.structs.replace(self, run_id="", began=None, completed=None, sha256="")
        return manifest_name(self.org, self.window, self.kind, sha256_of(_encode(listed)))

    def covers_for(self, filter: str | None, q: str | None) -> bool:
        """Whether it lists all events of the window that a filter and keywords let through."""
        return self.state == "complete" and self.reads_for(filter, q)

    def reads_for(self, filter: str | None, q: str | None) -> bool:
        """Whether its load read all that a filter and keywords let through, and Okta still had."""
        everything = not self.filter and not self.q
        return everything or (self.filter or None, self.q or None) == (filter or None, q or None)


class Sealed(msgspec.Struct, frozen=True):
    """A manifest in a seal.

    :param name: its name in the archive
    :param sha256: of its bytes
    """

    name: str
    sha256: str


class Seal(msgspec.Struct, frozen=True, kw_only=True):
    """All manifests that are in no seal before, of a closed day and the days before it.

    :param org: the Okta org's host name
    :param day: the beginning of the day
    :param previous: name and hash of the seal before; None in the first
    :param manifests: the manifests, in order of their names
    :param unclaimed: objects that no manifest lists, of loads that came to no end: they prove nothing
    :param sealed: when it was made
    :param run_id: the run that made it
    """

    version: int = FORMAT
    org: str
    day: datetime
    previous: Sealed | None = None
    manifests: tuple[Sealed, ...] = ()
    unclaimed: tuple[str, ...] = ()
    sealed: datetime | None = None
    run_id: str = ""


def sha256_of(body: bytes) -> str:
    """Return the SHA-256 of some bytes, in hexadecimal."""
    return hashlib.sha256(body).hexdigest()


def manifest_body(manifest: Manifest) -> bytes:
    """Return the bytes of a manifest, with its own hash in it."""
    whole = msgspec.structs.replace(manifest, sha256="")
    return _encode(msgspec.structs.replace(whole, sha256=sha256_of(_encode(whole))))


def read_manifest(body: bytes, name: str) -> Manifest:
    """Read a manifest.

    :param body: its bytes
    :param name: the name under which it was found
    :raises ArchiveDamagedError: if it was changed, or belongs under another name
    """
    manifest = decode(body, Manifest, name)
    if manifest_body(manifest) != body:
        raise ArchiveDamagedError(f"{name} was changed: it does not fit the hash that it holds.")
    try:
        right = manifest.name == name
    except WindowError as error:
        raise ArchiveDamagedError(f"{name} is not of a window: {error}") from error
    if not right:
        raise ArchiveDamagedError(f"{name} lists other objects than its name says.")
    return manifest


def read_part(body: bytes, name: str) -> ManifestPart:
    """Read a part of a manifest.

    :raises ArchiveDamagedError: if it was changed
    """
    check_content(body, name)
    return decode(body, ManifestPart, name)


def check_content(body: bytes, name: str) -> None:
    """Check an object whose name holds the hash of its bytes.

    :raises ArchiveDamagedError: if they do not fit
    """
    found = read_name(name)
    if found is None or found.sha256 != sha256_of(body):
        raise ArchiveDamagedError(f"{name} was changed: its bytes do not fit the hash in its name.")


def seal_claims(seal: Seal, org: str, name: ObjectName) -> None:
    """Check that a seal belongs where it was found.

    :raises ArchiveDamagedError: if it is of another org or day
    """
    if seal.org != org or seal.day != name.hour:
        raise ArchiveDamagedError(f"{name.name} is the seal of {seal.day:%Y-%m-%d} of {seal.org}: it was put there.")


def encode(record: ManifestPart | Seal) -> bytes:
    """Return the bytes of a part or a seal."""
    return _encode(record)


def decode(body: bytes, kind: type[T], name: str) -> T:
    """Read a manifest, a part or a seal, without checking more than its form.

    :raises ArchiveDamagedError: if it cannot be read, or a newer oktalogger wrote it
    """
    try:
        version = msgspec.json.decode(body, type=_Versioned).version
        if version <= FORMAT:
            return msgspec.json.decode(body, type=kind)
    except (msgspec.MsgspecError, UnicodeError) as error:
        raise ArchiveDamagedError(f"{name} cannot be read: {error}.") from error
    raise ArchiveDamagedError(
        f"{name} has the format {version}, and this oktalogger reads up to {FORMAT}: use a newer one."
    )


class _Versioned(msgspec.Struct):
    version: int


_encode = msgspec.json.Encoder(order="sorted").encode
