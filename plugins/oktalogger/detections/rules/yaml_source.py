"""Reading rule files: YAML documents that know on which line each of their parts stands."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from oktalogger.detections.rules.problems import Problem

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import yaml

ENDINGS: Final = (".yml", ".yaml")
# Not a rule: the lists that rules refer to.
VARIABLES_FILE: Final = "variables.yml"
# Nor this: what rules leave out for a while.
EXCEPTIONS_FILE: Final = "exceptions.yml"


@dataclass(frozen=True, slots=True)
class YamlDocument:
    """One YAML document of a rule file.

    :param file: the file, relative to the folder of detections
    :param data: what the document says
    :param node: the same with its places in the file
    """

    file: str
    data: dict[str, Any]
    node: yaml.MappingNode

    def line(self, *path: str | int) -> int:
        """Return the line of a part, or of the innermost part around it that is there.

        :param path: keys and positions, from the outside in
        """
        node: yaml.Node = self.node
        line = node.start_mark.line
        for step in path:
            found = child(node, step)
            if found is None:
                break
            line, node = found
        return int(line) + 1

    def line_of_field(self, section: str, field: str, value: str | None = None) -> int:
        """Return the line where a section names a field, with modifiers or without, in any depth.

        :param value: prefer the line of this value of that field, where it is a text that stands so in the file
        """
        found = child(self.node, section)
        if found is None:
            return self.line()
        for key, held in pairs(found[1]):
            if str(key.value).partition("|")[0] == field:
                for scalar in scalars(held):
                    if value is not None and scalar.value == value:
                        return int(scalar.start_mark.line) + 1
                if value is None:
                    return int(key.start_mark.line) + 1
        return self.line_of_field(section, field) if value is not None else int(found[0]) + 1

    def problem(self, message: str, *path: str | int, is_warning: bool = False) -> Problem:
        """Return a problem with the part that ``path`` names."""
        return Problem(self.file, self.line(*path), message, is_warning)


def rule_files(folder: Path) -> list[Path]:
    """Return the rule files of a folder and of those in it, in order, but for names with `_` or `.` in front."""
    return sorted(
        path
        for path in folder.rglob("*")
        if path.suffix.lower() in ENDINGS
        and path.is_file()
        and path.name not in (VARIABLES_FILE, EXCEPTIONS_FILE)
        and not any(part.startswith(("_", ".")) for part in path.relative_to(folder).parts)
    )


def read_documents(text: str | bytes, file: str) -> tuple[list[YamlDocument], list[Problem]]:
    """Read the documents of one file.

    :param text: what the file holds
    :param file: what problems call it
    :return: the documents that could be read, and what was wrong with the others
    """
    import yaml

    if isinstance(text, bytes):
        try:
            text = text.decode("utf-8")
        except UnicodeDecodeError as error:
            return [], [Problem(file, 1, f"the file is not UTF-8 text ({error.reason} at byte {error.start})")]
    documents: list[YamlDocument] = []
    problems: list[Problem] = []
    try:
        for node in yaml.compose_all(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
            if node is None or (isinstance(node, yaml.ScalarNode) and not node.value):
                continue
            line = node.start_mark.line + 1
            if not isinstance(node, yaml.MappingNode):
                problems.append(
                    Problem(file, line, "a rule is a mapping with keys like `title`, this is something else")
                )
                continue
            if (fault := _fault(node, set())) is not None:
                problems.append(Problem(file, fault[0].start_mark.line + 1, fault[1]))
                continue
            documents.append(YamlDocument(file, yaml.SafeLoader("").construct_document(node), node))
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        problems.append(_yaml_problem(file, error))
    if not documents and not problems:
        problems.append(Problem(file, 1, "the file holds no rule"))
    return documents, problems


def _yaml_problem(file: str, error: Exception) -> Problem:
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    words = [str(part) for part in (getattr(error, "context", None), getattr(error, "problem", None)) if part]
    said = ", ".join(words) or str(error) or type(error).__name__
    return Problem(file, mark.line + 1 if mark else 1, f"the file is not valid YAML: {said}")


def child(node: yaml.Node, step: str | int) -> tuple[int, yaml.Node] | None:
    """Return the line, counted from 0, and the node of a part; ``None`` if there is no such part."""
    import yaml

    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if key.value == str(step):
                return key.start_mark.line, value
    elif isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
        return node.value[step].start_mark.line, node.value[step]
    return None


def pairs(node: yaml.Node) -> Iterator[tuple[yaml.Node, yaml.Node]]:
    """Yield each key with its value, in any depth."""
    import yaml

    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            yield key, value
            yield from pairs(value)
    elif isinstance(node, yaml.SequenceNode):
        for item in node.value:
            yield from pairs(item)


def scalars(node: yaml.Node) -> Iterator[yaml.ScalarNode]:
    """Yield each value that is neither a mapping nor a list, in any depth."""
    import yaml

    if isinstance(node, yaml.ScalarNode):
        yield node
    elif isinstance(node, yaml.SequenceNode):
        for item in node.value:
            yield from scalars(item)


def _fault(node: yaml.Node, seen: set[int]) -> tuple[yaml.Node, str] | None:
    """Find a key that stands twice, or an alias: rules grow without bound by those, and lose their places."""
    import yaml

    if not isinstance(node, yaml.CollectionNode):
        return None
    if id(node) in seen:
        return node, "the rule repeats a part by a YAML alias (`*name`), which is not supported: write it out"
    seen.add(id(node))
    keys = set()
    parts = []
    for item in node.value:
        if isinstance(item, tuple):
            key, part = item
            if key.value in keys and isinstance(key, yaml.ScalarNode):
                return key, f"the key `{key.value}` stands twice in the same mapping"
            keys.add(str(key.value))
            parts.append(part)
        else:
            parts.append(item)
    return next((fault for part in parts if (fault := _fault(part, seen)) is not None), None)
