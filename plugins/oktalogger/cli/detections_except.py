"""``python -m oktalogger detections except``: keep events of a rule from alerting, for a while and with a reason."""

from __future__ import annotations

import getpass
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

from oktalogger.detections.rules.compiler import compile_folder
from oktalogger.detections.rules.folders import merge_folders
from oktalogger.detections.rules.new_exception import as_literal, write_exception
from oktalogger.detections.rules.problems import DetectionsError
from oktalogger.detections.rules.yaml_source import EXCEPTIONS_FILE
from oktalogger.detections.select import select_detections

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable
    from pathlib import Path


class ExceptionArgumentsError(ValueError):
    """The arguments make no exception; the message says why."""


def add_except_parser(
    actions: argparse._SubParsersAction[argparse.ArgumentParser],
    *,
    add_folder: Callable[[argparse.ArgumentParser], None],
    folders_of: Callable[[argparse.Namespace], tuple[Path, ...]],
    say: Callable[[str], None],
    guarded: Callable[[Any], Any],
) -> None:
    """Add the action.

    :param add_folder: adds the argument that names the folders of rules
    :param folders_of: returns the folders of rules that the arguments name
    :param say: prints a line
    :param guarded: turns errors that a user can mend into a sentence and an exit code
    """
    parser = actions.add_parser(
        "except",
        help="keep events of a rule from alerting, for a while and with a reason",
        description=f"Write an exception into {EXCEPTIONS_FILE} of the last folder of rules. The events are kept as "
        "excepted. After the last day they alert again.",
    )
    parser.add_argument("rule", metavar="RULE", help="name, id or file of a rule")
    parser.add_argument(
        "--match",
        action="append",
        default=[],
        metavar="FIELD=VALUE",
        help="what the events have; the same field again for another value, `FIELD|contains=VALUE` for a part",
    )
    parser.add_argument("--finding", metavar="ID", help="a match in the index of matches, whose group's values to take")
    parser.add_argument("--until", required=True, metavar="DAY", help="the last day, like 2026-12-31")
    parser.add_argument("--reason", required=True, help="why, for those who read it later")
    parser.add_argument("--owner", help="who answers for it (default: who runs it)")
    add_folder(parser)
    parser.set_defaults(run=guarded(lambda arguments: _except(arguments, folders_of(arguments), say)))


def _except(arguments: argparse.Namespace, folders: tuple[Path, ...], say: Callable[[str], None]) -> int:
    compiled = merge_folders({folder: compile_folder(folder) for folder in folders})
    (rule,) = select_detections(compiled.detections, [arguments.rule])[:1]
    match: dict[str, list[str]] = {}
    for given in arguments.match:
        field, equals, value = given.partition("=")
        if not equals or not field or not value:
            raise ExceptionArgumentsError(f"--match {given!r} is not of the form FIELD=VALUE")
        match.setdefault(field, []).append(value)
    if arguments.finding:
        for field, value in _group_of(arguments.finding, rule.id).items():
            match.setdefault(field, [as_literal(value)])
    if not match:
        raise ExceptionArgumentsError("say which events, by --match or --finding; without it, disable the rule")
    try:
        until = date.fromisoformat(arguments.until)
    except ValueError:
        raise ExceptionArgumentsError(f"--until is {arguments.until!r}; write the last day, like 2026-12-31") from None
    if until < datetime.now(UTC).date():
        raise ExceptionArgumentsError(f"--until {until} is over")
    folder = folders[-1]
    path = folder / EXCEPTIONS_FILE
    before = path.read_bytes() if path.is_file() else None
    write_exception(
        folder, rule.name, match, owner=arguments.owner or getpass.getuser(), reason=arguments.reason, until=until
    )
    wrong = [one for one in compile_folder(folder).errors if one.file == EXCEPTIONS_FILE]
    if wrong:
        if before is None:
            path.unlink()
        else:
            path.write_bytes(before)
        raise DetectionsError(wrong)
    say(f"{path} has the exception. Make the bundle anew: python -m oktalogger detections bundle")
    return 0


def _group_of(finding: str, rule_id: str) -> dict[str, str]:
    """Return the values, by field, of the group that a stored match is about."""
    from oktalogger.cli.environment import opensearch_client
    from oktalogger.opensearch.names import IndexNames
    from oktalogger.opensearch.request import search
    from oktalogger.settings import load_settings

    index = IndexNames(load_settings().index_prefix).matches
    query = {"bool": {"filter": [{"ids": {"values": [finding]}}, {"term": {"detection.id": rule_id}}]}}
    body = {"size": 1, "query": query}
    answer = search(opensearch_client(), index, body, doing="while reading a finding", may_be_absent=False)
    hits = answer["hits"]["hits"]
    if not hits:
        raise ExceptionArgumentsError(f"{index} has no finding {finding} of this rule")
    pairs = (line.partition("=") for line in hits[0]["_source"].get("group") or ())
    return {field: value for field, _, value in pairs}
