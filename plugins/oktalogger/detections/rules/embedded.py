"""Compiles selections that stand elsewhere than in a rule's `detection`: in filters, exceptions and severities."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from oktalogger.detections.rules.fields import field_table
from oktalogger.detections.rules.problems import Problem, RuleError
from oktalogger.detections.rules.strict import strict_problems
from oktalogger.detections.rules.yaml_source import YamlDocument, child

if TYPE_CHECKING:
    from collections.abc import Mapping

    import yaml

    from oktalogger.detections.rules.sigma import Selection

OKTA_LOG: Final = {"product": "okta", "service": "okta"}
_MAP: Final = "tag:yaml.org,2002:map"
_TEXT: Final = "tag:yaml.org,2002:str"
_ONE: Final = "match"


def read_one_selection(
    document: YamlDocument, path: tuple[str | int, ...], definition: Any, variables: Mapping[str, tuple[str, ...]]
) -> tuple[Selection | None, list[Problem]]:
    """Compile one selection, like that of an exception's `match`.

    :param document: where it stands
    :param path: keys and positions that lead to it
    :param definition: what stands there
    :param variables: the lists that `expand` fills in, by name
    :return: the selection, ``None`` if it cannot be used; and what is wrong with it
    """
    if not isinstance(definition, (dict, list)) or not definition:
        return None, [document.problem(f"`{path[-1]}` must be a mapping of fields to values", *path)]
    import yaml

    inner = _at(document.node, path)
    name = yaml.ScalarNode(_TEXT, _ONE, inner.start_mark, inner.end_mark)
    node = yaml.MappingNode(_MAP, [(name, inner)], inner.start_mark, inner.end_mark)
    return _compiled(document, {_ONE: definition, "condition": _ONE}, node, variables)


def read_selections(
    document: YamlDocument, section: str, leave_out: str, variables: Mapping[str, tuple[str, ...]]
) -> tuple[Selection | None, list[Problem]]:
    """Compile a section with selections and a condition, like a filter's.

    :param document: where it stands
    :param section: its key
    :param leave_out: a key in it that is not a selection
    :param variables: the lists that `expand` fills in, by name
    :return: as :func:`read_one_selection`
    """
    import yaml

    inner = _at(document.node, (section,))
    pairs = [(key, value) for key, value in inner.value if key.value != leave_out]
    node = yaml.MappingNode(_MAP, pairs, inner.start_mark, inner.end_mark)
    body = {key: value for key, value in document.data[section].items() if key != leave_out}
    return _compiled(document, body, node, variables)


def _compiled(
    document: YamlDocument, body: dict[str, Any], node: yaml.MappingNode, variables: Mapping[str, tuple[str, ...]]
) -> tuple[Selection | None, list[Problem]]:
    import yaml

    from oktalogger.detections.rules.sigma import read_selection

    head = yaml.ScalarNode(_TEXT, "detection", node.start_mark, node.end_mark)
    whole = yaml.MappingNode(_MAP, [(head, node)], node.start_mark, node.end_mark)
    # Each part keeps its place in the file, so that problems name the right line.
    rule = YamlDocument(document.file, {"title": "part", "logsource": OKTA_LOG, "detection": body}, whole)
    problems = list(strict_problems(rule, variables))
    if any(not problem.is_warning for problem in problems):
        return None, problems
    try:
        selection = read_selection(rule, field_table(), variables)
    except RuleError as error:
        return None, [*problems, Problem(document.file, error.line or rule.line("detection"), str(error))]
    return selection, [*problems, *selection.warnings]


def _at(node: yaml.Node, path: tuple[str | int, ...]) -> yaml.Node:
    for step in path:
        found = child(node, step)
        if found is None:
            break
        node = found[1]
    return node
