"""``python -m oktalogger detections``: check rules, test them, replay them over past windows, and make their bundle."""

from __future__ import annotations

import json
import os
import secrets
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from oktalogger.cli.detections_except import ExceptionArgumentsError, add_except_parser
from oktalogger.cli.detections_sync import add_sync_parsers
from oktalogger.cli.exit_codes import EXIT_FAILED, EXIT_USAGE
from oktalogger.detections.bundle import (
    BUNDLE_FILE,
    BundleError,
    hash_sources,
    load_detections,
    read_bundle,
    write_bundle,
)
from oktalogger.detections.exclusions import ended, ended_sentence, with_exclusions
from oktalogger.detections.rules.compiler import Compiled, CompilerMissingError, compile_folder
from oktalogger.detections.rules.folders import merge_folders
from oktalogger.detections.rules.mapped import unmapped_fields
from oktalogger.detections.rules.problems import DetectionsError, Problem
from oktalogger.detections.select import UnknownRuleError, select_detections
from oktalogger.resources import rule_folders

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence
    from pathlib import Path

    from oktalogger.detections.model import CompiledDetection


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser("detections", help="check, test and run detection rules", description=__doc__)
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    for add in (_add_check, _add_test, _add_replay, _add_show, _add_new, _add_bundle):
        add(actions)
    add_except_parser(actions, add_folder=add_folder, folders_of=folders_of, say=say, guarded=guarded)
    add_sync_parsers(actions, common=common_arguments, folders_of=folders_of, guarded=guarded)


def common_arguments(parser: argparse.ArgumentParser, *, rules: bool = True) -> None:
    """Add the arguments that the actions share."""
    add_folder(parser)
    parser.add_argument("--json", action="store_true", help="print JSON")
    if rules:
        parser.add_argument(
            "rules", nargs="*", metavar="RULE", help="name, id or file of a rule; * and ? are wildcards"
        )


def add_folder(parser: argparse.ArgumentParser) -> None:
    """Add the argument that names the folders of rules."""
    parser.add_argument(
        "--folder",
        metavar="DIR",
        help="folders of rules, separated by commas; `pack` is this package's (default: OKTALOGGER_DETECTIONS_DIR)",
    )


def folders_of(arguments: argparse.Namespace) -> tuple[Path, ...]:
    """Return the folders of rules that the arguments name."""
    return rule_folders(arguments.folder)


def _compile(arguments: argparse.Namespace) -> dict[Path, Compiled]:
    return {folder: compile_folder(folder) for folder in folders_of(arguments)}


class UsageError(ValueError):
    """The arguments cannot be used; the message says why."""


def guarded(action: Any) -> Any:
    """Turn errors that a user can mend into a sentence and an exit code."""

    def run(arguments: argparse.Namespace) -> int:
        try:
            return int(action(arguments))
        except DetectionsError as error:
            for problem in error.problems:
                say(str(problem))
            return EXIT_FAILED
        except (UsageError, ExceptionArgumentsError, UnknownRuleError, CompilerMissingError, BundleError) as error:
            sys.stderr.write(f"error: {error}\n")
            return EXIT_USAGE

    return run


def say(text: str) -> None:
    """Print a line."""
    sys.stdout.write(text + "\n")


def _only(compiled: Compiled, wanted: Sequence[str]) -> Compiled:
    detections = select_detections(compiled.detections, wanted)
    return Compiled(detections, {item.id: compiled.rules[item.id] for item in detections}, compiled.problems)


def _add_check(actions: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = actions.add_parser(
        "check",
        help="report what is wrong with rules; asks OpenSearch too, if one is named",
        description="Report what is wrong with rules. If OKTALOGGER_OPENSEARCH_URL names an OpenSearch, this asks "
        "it whether it can run them, and changes nothing in it.",
    )
    common_arguments(parser, rules=False)
    parser.add_argument("--strict", action="store_true", help="count warnings as errors")
    parser.set_defaults(run=guarded(_check))


def _check(arguments: argparse.Namespace) -> int:
    from oktalogger.detections.rules.redacted import redacted_rules
    from oktalogger.settings import load_settings

    by_folder = _compile(arguments)
    compiled = merge_folders(by_folder)
    problems = list(compiled.problems)
    for folder, one in by_folder.items():
        if not one.rules and not one.problems:
            problems.append(Problem(".", 1, f"there is no rule in {folder}", is_warning=True))
        elif not one.errors:
            problems += _bundle_problems(folder, one)
    in_force = with_exclusions(compiled.detections, compiled.exclusions)
    problems += [
        Problem(one.file, one.line, ended_sentence(one), is_warning=True)
        for one in ended(in_force, datetime.now(UTC).date())
    ]
    refused, unasked = _ask_engine(in_force)
    problems += refused
    problems += redacted_rules(compiled.detections, load_settings().redact)
    errors = [problem for problem in problems if arguments.strict or not problem.is_warning]
    if arguments.json:
        report = {"rules": len(compiled.detections), "problems": [item.as_dict() for item in problems]}
        say(json.dumps({**report, "engine_not_asked": unasked}, indent=2))
    else:
        for problem in problems:
            say(str(problem))
        warnings = len(problems) - len(errors)
        say(f"no engine was asked: {unasked}" if unasked else "OpenSearch was asked about each rule")
        say(f"{len(compiled.detections)} rules can be used, {len(errors)} errors, {warnings} warnings")
    return EXIT_FAILED if errors else 0


def _ask_engine(detections: Sequence[CompiledDetection]) -> tuple[list[Problem], str | None]:
    """Ask OpenSearch whether it can run each rule; return the problems, and why it was not asked, if so."""
    from oktalogger.cli.environment import OPENSEARCH_URL, opensearch_client
    from oktalogger.detections.monitors.render import monitor_settings
    from oktalogger.detections.monitors.trial import refused_detections
    from oktalogger.opensearch.errors import IndexMissingError, OpenSearchLoadError
    from oktalogger.opensearch.names import IndexNames
    from oktalogger.settings import load_settings

    if not os.environ.get(OPENSEARCH_URL, "").strip():
        return [], f"{OPENSEARCH_URL} is not set"
    settings = load_settings()
    names = IndexNames(settings.index_prefix)
    client = opensearch_client()
    try:
        refused = refused_detections(client, names, detections, monitor_settings(settings))
        unmapped = unmapped_fields(client, names, detections)
    except IndexMissingError:
        return [], f"OpenSearch has no {names.alias} yet; load something, or run `detections test`"
    except OpenSearchLoadError as error:
        # The other problems of the rules are still reported.
        return [Problem(OPENSEARCH_URL, 1, f"OpenSearch could not be asked: {error}")], str(error)
    found = [
        Problem(detection.file, detection.line, said)
        for detection in detections
        for said in refused.get(detection.id, ())
    ]
    return [*unmapped, *found], None


def _bundle_problems(folder: Path, compiled: Compiled) -> list[Problem]:
    bundle = read_bundle(folder)
    if bundle is None:
        return [Problem(BUNDLE_FILE, 1, "there is no bundle for workers yet: make it with `detections bundle`", True)]
    if bundle.sources == hash_sources(folder) and (bundle.detections, bundle.exclusions) == (
        compiled.detections,
        compiled.exclusions,
    ):
        return []
    return [
        Problem(
            BUNDLE_FILE, 1, "the bundle is not what the rules compile to now: make it anew with `detections bundle`"
        )
    ]


def _add_test(actions: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = actions.add_parser(
        "test",
        help="run the rules' tests on a real OpenSearch",
        description="Run the rules' tests on the OpenSearch at OKTALOGGER_OPENSEARCH_URL, in indices of their own.",
    )
    common_arguments(parser)
    parser.set_defaults(run=guarded(_test))


def _assumed(compiled: Compiled) -> int:
    return sum(case.is_assumed for one in compiled.detections for case in compiled.rules[one.id].own.cases)


def _test(arguments: argparse.Namespace) -> int:
    from oktalogger.cli.environment import opensearch_client, redaction_key
    from oktalogger.detections.testing.run import CaseError, run_cases
    from oktalogger.opensearch.names import IndexNames
    from oktalogger.privacy.redactor import make_redactor
    from oktalogger.settings import load_settings

    compiled = merge_folders(_compile(arguments))
    some = _only(compiled, arguments.rules)
    client = opensearch_client()
    settings = load_settings()
    unmapped = unmapped_fields(client, IndexNames(settings.index_prefix), some.detections)
    # What the rules find is the same with any key.
    redactor = make_redactor(settings.redact, redaction_key() or secrets.token_hex())
    try:
        results, refused = run_cases(client, some, redactor=redactor)
    except CaseError as error:
        raise DetectionsError([Problem("tests", 0, str(error))]) from error
    problems = [*(() if arguments.rules else compiled.errors), *unmapped, *refused]
    failed = [result for result in results if not result.passed]
    if arguments.json:
        report = {"cases": [item.as_dict() for item in results], "problems": [item.as_dict() for item in problems]}
        say(json.dumps(report, indent=2))
    else:
        for line in (*problems, *failed):
            say(str(line))
        rules = len({result.rule for result in results})
        say(f"{len(results) - len(failed)} of {len(results)} test cases of {rules} rules passed")
        say(f"{_assumed(some)} of them have events of a shape that no catalogue or public sample shows")
    return EXIT_FAILED if failed or problems else 0


def _add_replay(actions: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = actions.add_parser("replay", help="run rules over a past window and keep what they find")
    common_arguments(parser)
    parser.add_argument("--from", dest="since", required=True, metavar="INSTANT", help="like 2026-11-23T10:00:00Z")
    parser.add_argument("--to", dest="until", required=True, metavar="INSTANT", help="end, not part of the window")
    parser.add_argument(
        "--by", choices=("published", "loaded"), default="published", help="time by which events belong to the window"
    )
    parser.add_argument("--without-historical", action="store_true", help="leave out events that a backfill loaded")
    parser.add_argument("--run-id", help="run id to store in the matches")
    parser.set_defaults(run=guarded(_replay))


def _replay(arguments: argparse.Namespace) -> int:
    from oktalogger.cli.environment import opensearch_client
    from oktalogger.detections.replay.report import rows_text
    from oktalogger.detections.replay.search import replay
    from oktalogger.detections.replay.span import Span
    from oktalogger.opensearch.names import IndexNames
    from oktalogger.settings import load_settings
    from oktalogger.window import Window, parse_instant

    window = Window(parse_instant(arguments.since, name="--from"), parse_instant(arguments.until, name="--to"))
    found = replay(
        opensearch_client(),
        IndexNames(load_settings().index_prefix),
        select_detections(load_detections(*folders_of(arguments)), arguments.rules),
        Span(window, by=arguments.by, historical=not arguments.without_historical),
        run_id=arguments.run_id or f"cli__{datetime.now(UTC).isoformat(timespec='seconds')}",
    )
    rows = [item.as_dict() for item in found]
    say(json.dumps(rows, indent=2) if arguments.json else rows_text(rows))
    return 0


def _add_show(actions: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = actions.add_parser("show", help="print the monitor, or the search, that a rule compiles to")
    common_arguments(parser)
    parser.set_defaults(run=guarded(_show))


def _show(arguments: argparse.Namespace) -> int:
    from oktalogger.detections.model import MonitorSettings
    from oktalogger.detections.monitors.render import monitor_search, render_monitor
    from oktalogger.detections.replay.risk import risk_body
    from oktalogger.opensearch.names import IndexNames
    from oktalogger.settings import load_settings

    names, settings = IndexNames(load_settings().index_prefix), MonitorSettings()
    bodies = []
    for detection in select_detections(load_detections(*folders_of(arguments)), arguments.rules):
        if detection.risk_sum is not None:
            bodies.append({"runs": "after each load", "search": risk_body(detection.risk_sum, None, None)})
            continue
        if not detection.is_monitored:
            bodies.append({"runs": "after each load", "search": monitor_search(detection, settings)})
            continue
        ids = {name: f"<id of {name}>" for name in detection.channels_under(settings)}
        bodies.append(render_monitor(detection, names=names, channel_ids=ids, settings=settings).body)
    say(json.dumps(bodies, indent=2))
    return 0


def _add_new(actions: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = actions.add_parser("new", help="write a new rule to start from")
    parser.add_argument("name", help="the file's name without ending, like okta_api_token_created")
    parser.add_argument("--title", help="the rule's title")
    parser.add_argument("--threshold", action="store_true", help="a rule that counts")
    add_folder(parser)
    parser.set_defaults(run=guarded(_new))


def _new(arguments: argparse.Namespace) -> int:
    from oktalogger.detections.rules.new_rule import write_skeleton

    try:
        path = write_skeleton(
            # The user's own folder is named after the pack.
            folders_of(arguments)[-1],
            arguments.name,
            title=arguments.title,
            is_threshold=arguments.threshold,
        )
    except ValueError as error:
        raise UsageError(str(error)) from None
    say(f"{path} is a rule that passes its tests. Change it, then run `python -m oktalogger detections check`.")
    return 0


def _add_bundle(actions: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = actions.add_parser("bundle", help="compile the rules for workers, which have no pySigma")
    add_folder(parser)
    parser.set_defaults(run=guarded(_bundle))


def _bundle(arguments: argparse.Namespace) -> int:
    for folder, compiled in _compile(arguments).items():
        path = write_bundle(folder, compiled)
        say(f"{path} holds {len(compiled.detections)} rules")
    return 0
