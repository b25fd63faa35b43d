"""Finds the files that come with the package (index templates, policies, roles), and the folders of detection rules."""

from __future__ import annotations

import os
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Final

from oktalogger.setting_readers import PACK, folders
from oktalogger.settings import PREFIX, SettingsError, load_settings

if TYPE_CHECKING:
    from collections.abc import Mapping

FOLDERS_VARIABLE: Final = f"{PREFIX}DETECTIONS_DIR"
# Until version 0.3 its folder `detections` is read as the folder of rules.
OLD_VARIABLE: Final = f"{PREFIX}INCLUDE_DIR"


class ResourceError(Exception):
    """A file or folder cannot be found; the message says where it was looked for and what to do."""


def include_dir() -> Path:
    """Find the folder ``include`` of this package.

    Looked for in this order: ``_include`` inside the package (an installed wheel, or one that was unpacked into
    Airflow's plugins folder); ``include`` beside ``plugins`` (a checkout).

    :raises ResourceError: if there is none
    """
    package = Path(__file__).resolve().parent
    candidates = (package / "_include", package.parent.parent / "include")
    for folder in candidates:
        if folder.is_dir():
            return folder
    looked = " and ".join(str(folder) for folder in candidates)
    raise ResourceError(
        f"oktalogger's include folder is in neither of {looked}. Install the wheel, or keep include/ beside plugins/ "
        "as in the repository."
    )


def resource(relative: str) -> Path:
    """Find one file of ``include/``. It always comes from the package, so that it fits the code.

    :param relative: the path below ``include``, with slashes, as ``opensearch/index-template.json``
    :raises ResourceError: if it is not there
    """
    folder = include_dir()
    path = folder / relative
    if not path.is_file():
        raise ResourceError(
            f"{relative} is missing in {folder}. The folder is incomplete or of another version of oktalogger: "
            "install the wheel anew, or copy include/ of the same version as plugins/."
        )
    return path


def rule_folders(named: str | None = None, environ: Mapping[str, str] = os.environ) -> tuple[Path, ...]:
    """Find the folders of detection rules.

    :param named: folders, separated by commas, of which ``pack`` is the one that comes with the package; None takes
        ``OKTALOGGER_DETECTIONS_DIR``
    :param environ: the environment variables
    :raises ResourceError: if one is not a folder
    :raises SettingsError: if the variable, or ``named``, cannot be read
    """
    if named is not None:
        try:
            return tuple(_rule_folder(name, "What was asked for") for name in folders(named))
        except ValueError as error:
            raise SettingsError(f"The folders of rules {named!r} cannot be used: they are {error}.") from None
    if (old := _old_folder(environ)) is not None:
        return (_rule_folder(old, OLD_VARIABLE),)
    return tuple(_rule_folder(name, FOLDERS_VARIABLE) for name in load_settings(environ).detections_dir)


def _rule_folder(name: str, what: str) -> Path:
    if name == PACK:
        return include_dir() / "detections"
    folder = Path(name)
    if not folder.is_dir():
        raise ResourceError(f"{what} names {name!r} as a folder of detection rules, which is not a folder. Correct it.")
    return folder


def _old_folder(environ: Mapping[str, str]) -> str | None:
    old = environ.get(OLD_VARIABLE, "").strip()
    if not old:
        return None
    if environ.get(FOLDERS_VARIABLE, "").strip():
        warnings.warn(
            f"{OLD_VARIABLE} has no effect if {FOLDERS_VARIABLE} is set: unset it.", FutureWarning, stacklevel=3
        )
        return None
    folder = str(Path(old) / "detections")
    warnings.warn(
        f"{OLD_VARIABLE} will have no effect in the next release, and already its templates, policies and roles have "
        f"none: those come from the package. Set {FOLDERS_VARIABLE}={folder} instead, for your own rules alone, or "
        f"{FOLDERS_VARIABLE}={PACK},{folder} to use our rules too.",
        FutureWarning,
        stacklevel=3,
    )
    return folder
