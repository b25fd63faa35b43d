"""Writes and reads the bundle: compiled rules for workers without pySigma.

The bundle holds the hash of every file that it was made from. So a rule edited later is noticed: with pySigma it is
compiled on the spot, without it that is a clear error.
"""

from __future__ import annotations

import hashlib
import json
import logging
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

from oktalogger.detections.exclusions import with_exclusions
from oktalogger.detections.model import CompiledDetection, Exclusion, canonical_json
from oktalogger.detections.rules.folders import aimless_problems, find_doubles
from oktalogger.detections.rules.problems import DetectionsError
from oktalogger.detections.rules.yaml_source import EXCEPTIONS_FILE, VARIABLES_FILE, rule_files

if TYPE_CHECKING:
    from pathlib import Path

    from oktalogger.detections.rules.compiler import Compiled

logger = logging.getLogger(__name__)

BUNDLE_FILE: Final = "bundle.json"
# Raise this whenever the same rules compile to something else, for instance after a change of fields.
COMPILER_VERSION: Final = 3
_FORMAT: Final = 1


class BundleError(RuntimeError):
    """The bundle is missing, damaged, or older than its rules; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Bundle:
    """A bundle as it was read.

    :param compiler_version: version of the compiler that made it
    :param sources: the hash of each file that it was made from
    :param detections: the compiled rules
    :param exclusions: the filters and exceptions, which may name rules of other folders as well
    """

    compiler_version: int
    sources: dict[str, str]
    detections: tuple[CompiledDetection, ...]
    exclusions: tuple[Exclusion, ...] = ()


def hash_sources(folder: Path) -> dict[str, str]:
    """Return the sha256 of each rule file, of the lists and of the exceptions, by its name relative to the folder."""
    paths = rule_files(folder)
    paths += [path for name in (VARIABLES_FILE, EXCEPTIONS_FILE) if (path := folder / name).is_file()]
    return {path.relative_to(folder).as_posix(): hashlib.sha256(_text(path)).hexdigest() for path in paths}


def write_bundle(folder: Path, compiled: Compiled) -> Path:
    """Write the bundle of a folder of rules.

    :param compiled: what ``compile_folder`` made of it
    :raises DetectionsError: if a rule cannot be used
    :return: the file
    """
    detections = [canonical_json(detection.as_dict()) for detection in compiled.strictly()]
    head: dict[str, Any] = {"format": _FORMAT, "compiler_version": COMPILER_VERSION, "sources": hash_sources(folder)}
    if compiled.exclusions:
        head["exclusions"] = [asdict(exclusion) for exclusion in compiled.exclusions]
    # One detection a line, so that a change of one rule is a change of one line.
    text = json.dumps(head, indent=1, sort_keys=True).removesuffix("\n}")
    listed = ",\n  ".join(detections)
    path = folder / BUNDLE_FILE
    content = f'{text},\n "detections": [\n  {listed}\n ]\n}}\n'
    # Leave an unchanged file alone: the pack of an installed wheel may lie in a read-only folder.
    if not path.is_file() or path.read_text(encoding="utf-8") != content:
        path.write_text(content, encoding="utf-8")
    return path


def read_bundle(folder: Path) -> Bundle | None:
    """Read the bundle of a folder of rules.

    :return: the bundle, or ``None`` if there is none
    :raises BundleError: if it cannot be read
    """
    path = folder / BUNDLE_FILE
    if not path.is_file():
        return None
    try:
        data: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        if data["format"] != _FORMAT:
            raise BundleError(f"{path} has the format {data['format']}; this release reads {_FORMAT}. {_REMEDY}")
        detections = tuple(CompiledDetection.from_dict(values) for values in data["detections"])
        exclusions = tuple(Exclusion.from_dict(values) for values in data.get("exclusions", ()))
        return Bundle(int(data["compiler_version"]), dict(data["sources"]), detections, exclusions)
    except (ValueError, KeyError, TypeError) as error:
        raise BundleError(f"{path} cannot be read ({error}). {_REMEDY}") from error


_REMEDY: Final = (
    "Run `python -m oktalogger detections bundle` where pySigma is installed, and deploy the file with the rules."
)


def load_detections(*folders: Path, skip_broken: bool = False) -> tuple[CompiledDetection, ...]:
    """Return the detections of some folders: from each bundle that is up to date, otherwise compiled on the spot.

    Filters and exceptions of any folder are applied to the rules of all of them.

    :param folders: the folders of detections
    :param skip_broken: leave out rules that cannot be used, if rules are compiled here, and warn of each
    :raises DetectionsError: if rules are compiled here and one cannot be used, or if two folders have rules of
        one id or name
    :raises BundleError: if rules must be compiled, and pySigma is not installed
    """
    found = {folder: _load_folder(folder, skip_broken=skip_broken) for folder in folders}
    if doubles := find_doubles({folder: detections for folder, (detections, _) in found.items()}):
        raise DetectionsError(doubles)
    detections = [detection for detections, _ in found.values() for detection in detections]
    exclusions = [exclusion for _, exclusions in found.values() for exclusion in exclusions]
    for problem in aimless_problems(detections, exclusions):
        logger.warning("%s", problem)
    return with_exclusions(detections, exclusions)


def _load_folder(folder: Path, *, skip_broken: bool) -> tuple[tuple[CompiledDetection, ...], tuple[Exclusion, ...]]:
    bundle = read_bundle(folder)
    stale = _why_stale(folder, bundle)
    if bundle is not None and stale is None:
        return bundle.detections, bundle.exclusions
    # A bundle that is up to date needs no compiler, and a task's start imports as little as it can.
    from oktalogger.detections.rules.compiler import can_compile, compile_folder

    if not can_compile():
        raise BundleError(f"{stale} pySigma, which compiles rules, is not installed here. {_REMEDY}")
    compiled = compile_folder(folder)
    if not skip_broken:
        return compiled.strictly(), compiled.exclusions
    for problem in compiled.errors:
        logger.warning("Left out a rule that cannot be used: %s", problem)
    return compiled.detections, compiled.exclusions


def _why_stale(folder: Path, bundle: Bundle | None) -> str | None:
    if bundle is None:
        return f"{folder} has no {BUNDLE_FILE}."
    if bundle.compiler_version != COMPILER_VERSION:
        return f"{folder / BUNDLE_FILE} was made by another version of the compiler."
    now = hash_sources(folder)
    changed = sorted(name for name in now.keys() | bundle.sources.keys() if now.get(name) != bundle.sources.get(name))
    if not changed:
        return None
    named = ", ".join(changed[:5]) + (f" and {len(changed) - 5} more" if len(changed) > 5 else "")
    return f"{folder / BUNDLE_FILE} is older than its rules: {named}."


def _text(path: Path) -> bytes:
    # Git may write other line ends on another machine.
    return path.read_bytes().replace(b"\r\n", b"\n")
