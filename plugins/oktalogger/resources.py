"""Where the files of ``include/`` are: index templates and other JSON as OpenSearch takes it, and detections."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

ENVIRONMENT_VARIABLE = "OKTALOGGER_INCLUDE_DIR"


class ResourceError(Exception):
    """A file of ``include/`` cannot be found; the message says where it was looked for and what to do."""


def include_dir(environ: Mapping[str, str] = os.environ) -> Path:
    """Find the folder ``include``.

    Looked for in this order: where ``OKTALOGGER_INCLUDE_DIR`` says; ``_include`` inside this package (an installed
    wheel, or one that was unpacked into Airflow's plugins folder); ``include`` beside ``plugins`` (a checkout).

    :param environ: the environment variables
    :raises ResourceError: where there is none, or the variable names something that is no folder
    """
    named = environ.get(ENVIRONMENT_VARIABLE)
    if named:
        folder = Path(named)
        if not folder.is_dir():
            raise ResourceError(f"{ENVIRONMENT_VARIABLE} names {named!r}, which is not a folder.")
        return folder
    package = Path(__file__).resolve().parent
    candidates = (package / "_include", package.parent.parent / "include")
    for folder in candidates:
        if folder.is_dir():
            return folder
    looked = " and ".join(str(folder) for folder in candidates)
    raise ResourceError(
        f"oktalogger's include folder is in neither of {looked}. Install the wheel, keep include/ beside plugins/ "
        f"as in the repository, or name the folder in {ENVIRONMENT_VARIABLE}."
    )


def resource(relative: str, environ: Mapping[str, str] = os.environ) -> Path:
    """Find one file of ``include/``.

    :param relative: the path below ``include``, with slashes, as ``opensearch/index-template.json``
    :param environ: the environment variables
    :raises ResourceError: where it is not there
    """
    folder = include_dir(environ)
    path = folder / relative
    if not path.is_file():
        raise ResourceError(
            f"{relative} is missing in {folder}. The folder is incomplete or of another version of oktalogger: "
            f"install the wheel anew, or correct {ENVIRONMENT_VARIABLE}."
        )
    return path
