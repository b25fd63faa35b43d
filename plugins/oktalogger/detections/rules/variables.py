"""The lists that rules refer to as ``%name%`` with the modifier ``expand``: the file ``variables.yml``."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from oktalogger.detections.rules.strict import lossy_values
from oktalogger.detections.rules.yaml_source import VARIABLES_FILE, read_documents

if TYPE_CHECKING:
    from pathlib import Path

    from oktalogger.detections.rules.problems import Problem

_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def read_variables(folder: Path) -> tuple[dict[str, tuple[str, ...]], list[Problem]]:
    """Read the lists of a folder of detections.

    :return: the values by the list's name, and what is wrong with the file; a missing file is an empty one
    """
    path = folder / VARIABLES_FILE
    if not path.is_file():
        return {}, []
    documents, problems = read_documents(path.read_bytes(), VARIABLES_FILE)
    variables: dict[str, tuple[str, ...]] = {}
    for document in documents[:1]:
        problems += lossy_values(VARIABLES_FILE, document.node)
        for name, values in document.data.items():
            if not isinstance(name, str) or not _NAME.fullmatch(name):
                problems.append(document.problem(f"the name {name!r} of a list must be of letters, digits and `_`"))
            elif not _is_list(values):
                problems.append(document.problem(f"`{name}` must be a list of texts or numbers", name))
            else:
                variables[name] = tuple(str(value) for value in values)
    if len(documents) > 1:
        problems.append(documents[1].problem("the file must be one YAML document"))
    return variables, problems


def _is_list(values: Any) -> bool:
    return isinstance(values, list) and all(
        isinstance(value, (str, int, float)) and not isinstance(value, bool) for value in values
    )
