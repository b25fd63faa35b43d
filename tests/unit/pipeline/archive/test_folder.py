"""An archive in a folder: whole objects or none, whatever happens to the process and to the disk."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

import pytest

from oktalogger.pipeline.archive import folder
from oktalogger.pipeline.archive.errors import (
    ArchiveDamagedError,
    ArchiveMissingError,
    ArchiveRefusedError,
    ArchiveUnavailableError,
)
from oktalogger.pipeline.archive.folder import FolderStore
from oktalogger.pipeline.archive.place import PatientStore

if TYPE_CHECKING:
    from pathlib import Path


def test_an_object_is_written_once(tmp_path: Path) -> None:
    store = FolderStore(tmp_path / "new" / "archive")
    assert store.put("a/b/c", b"one")
    assert not store.put("a/b/c", b"one")
    assert store.get("a/b/c") == b"one"
    assert list(store.names("a/")) == ["a/b/c"]
    assert list(store.names("other/")) == []
    with pytest.raises(ArchiveMissingError, match="a/b/d"):
        store.get("a/b/d")


def test_what_is_there_is_never_overwritten(tmp_path: Path) -> None:
    store = FolderStore(tmp_path)
    store.put("seal", b"first", by_content=False)
    assert not store.put("seal", b"second", by_content=False)
    assert store.get("seal") == b"first"


def test_a_half_written_object_that_somebody_copied_there_is_said_and_not_believed(tmp_path: Path) -> None:
    (tmp_path / "object").write_bytes(b"hal")
    with pytest.raises(ArchiveDamagedError, match="other bytes than its name says"):
        FolderStore(tmp_path).put("object", b"half")


@pytest.mark.parametrize("step", ["write", "link", "fsync"])
def test_a_full_disk_leaves_nothing_half(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    store = FolderStore(tmp_path)
    store.put("a/first", b"1")
    with monkeypatch.context() as patched:
        if step == "write":
            patched.setattr(folder, "_write", full)
        else:
            patched.setattr(os, step, full)
        with pytest.raises(ArchiveUnavailableError, match=r"a/second: No space left on device.*is it full"):
            store.put("a/second", b"2")
    assert sorted(os.listdir(tmp_path / "a")) == ["first"]
    assert store.put("a/second", b"2")


def test_a_process_that_dies_leaves_a_hidden_file_that_is_not_an_object(tmp_path: Path) -> None:
    store = FolderStore(tmp_path)
    store.put("a/first", b"1")
    (tmp_path / "a" / ".1234").write_bytes(b"ha")
    assert list(store.names("a/")) == ["a/first"]


def test_two_at_once_write_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = FolderStore(tmp_path)
    publish = folder._publish

    def raced(hidden: Path, path: Path) -> None:
        path.write_bytes(b"the same")
        publish(hidden, path)

    monkeypatch.setattr(folder, "_publish", raced)
    assert not store.put("object", b"the same")
    assert os.listdir(tmp_path) == ["object"]


def test_a_file_system_without_links_will_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object) -> None:
        raise OSError(errno.ENOTSUP, "Operation not supported")

    monkeypatch.setattr(os, "link", refused)
    store = FolderStore(tmp_path)
    assert store.put("object", b"1")
    assert not store.put("object", b"1")
    assert os.listdir(tmp_path) == ["object"]


def test_a_folder_that_is_a_file_is_refused_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "archive").write_bytes(b"")
    with pytest.raises(ArchiveRefusedError, match="Give the workers the right"):
        FolderStore(tmp_path / "archive").put("object", b"1")


class Busy:
    where = "busy"

    def __init__(self, times: int) -> None:
        self.times = times

    def get(self, name: str) -> bytes:
        self.times -= 1
        if self.times >= 0:
            raise ArchiveUnavailableError("not now")
        return b"there"


def test_a_store_that_is_out_of_reach_for_a_moment_is_waited_for() -> None:
    waits: list[float] = []
    assert PatientStore(Busy(3), waits.append).get("x") == b"there"  # type: ignore[arg-type]
    assert len(waits) == 3
    with pytest.raises(ArchiveUnavailableError, match="not now"):
        PatientStore(Busy(1000), lambda _: None, seconds=0.0).get("x")  # type: ignore[arg-type]
