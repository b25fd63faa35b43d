"""``python -m oktalogger detections plan`` and ``apply``: sync monitors with the rules, without Airflow."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from oktalogger.cli.exit_codes import EXIT_CHANGES, EXIT_FAILED
from oktalogger.detections.bundle import load_detections
from oktalogger.detections.monitors.api import AlertingClient
from oktalogger.detections.monitors.change import PlanRefusedError, check_deletions
from oktalogger.detections.monitors.channels import ChannelError
from oktalogger.detections.monitors.health import check_health
from oktalogger.detections.monitors.render import monitor_settings
from oktalogger.detections.monitors.report import exceptions_text, plan_text, result_text, rules_after_load
from oktalogger.detections.monitors.stored import Owner
from oktalogger.detections.monitors.sync import SyncIncompleteError, SyncOptions, apply_sync, plan_sync, render_all
from oktalogger.detections.rules.mapped import require_mapped

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from opensearchpy import OpenSearch

    from oktalogger.detections.model import CompiledDetection, RenderedMonitor
    from oktalogger.settings import Settings


def add_sync_parsers(
    actions: argparse._SubParsersAction[argparse.ArgumentParser],
    *,
    common: Callable[..., None],
    folders_of: Callable[[argparse.Namespace], tuple[Path, ...]],
    guarded: Callable[[Callable[[argparse.Namespace], int]], Callable[[argparse.Namespace], int]],
) -> None:
    """Add ``plan`` and ``apply`` to the command ``detections``.

    :param actions: the subparsers of that command
    :param common: adds the arguments that all actions share
    :param folders_of: returns the folders of rules that the arguments name
    :param guarded: turns errors that a user can mend into a sentence and an exit code
    """
    plan = actions.add_parser("plan", help="say what apply would change, and change nothing")
    apply = actions.add_parser("apply", help="create, update and delete monitors as the rules say")
    for parser in (plan, apply):
        common(parser, rules=False)
        parser.add_argument(
            "--put-back",
            action="append",
            default=[],
            metavar="ID",
            help="overwrite changes made by hand in the monitor of this rule; `all` for every rule",
        )
        parser.add_argument(
            "--skip-broken", action="store_true", help="leave out rules that cannot be used, and delete nothing"
        )
    plan.add_argument(
        "--check",
        action="store_true",
        help=f"exit with {EXIT_CHANGES} if anything is to be done, or a monitor is not at work",
    )
    apply.add_argument("--confirm-deletions", action="store_true", help="delete all monitors of the plan, however many")
    plan.set_defaults(run=guarded(lambda arguments: _plan(arguments, folders_of(arguments))))
    apply.set_defaults(run=guarded(lambda arguments: _apply(arguments, folders_of(arguments))))


def _plan(arguments: argparse.Namespace, folders: tuple[Path, ...]) -> int:
    settings = _settings()
    opensearch = _client()
    client = AlertingClient(opensearch)
    try:
        detections = load_detections(*folders, skip_broken=arguments.skip_broken)
        rendered = _rendered(opensearch, client, detections, settings)
        plan = plan_sync(client, rendered, Owner(settings.index_prefix), _options(arguments, settings))
    except ChannelError as error:
        return _failed(error)
    health = check_health(client, plan.wanted)
    after_load = rules_after_load(detections)
    over = exceptions_text(detections, datetime.now(UTC).date())
    report = {**plan.as_dict(), "health": health.as_dict(), "after_load": list(after_load)}
    _say(json.dumps(report, indent=2) if arguments.json else over + plan_text(plan, health, after_load))
    try:
        check_deletions(plan, share=settings.detection_delete_percent / 100)
    except PlanRefusedError as error:
        sys.stderr.write(f"warning: apply would stop. {error}\n")
    drifted = plan.changes or plan.switched_off or health.problems
    return EXIT_CHANGES if arguments.check and drifted else 0


def _apply(arguments: argparse.Namespace, folders: tuple[Path, ...]) -> int:
    settings = _settings()
    opensearch = _client()
    client = AlertingClient(opensearch)
    try:
        detections = load_detections(*folders, skip_broken=arguments.skip_broken)
        rendered = _rendered(opensearch, client, detections, settings)
        result = apply_sync(client, rendered, Owner(settings.index_prefix), _options(arguments, settings))
    except SyncIncompleteError as error:
        _say(json.dumps(error.result.as_dict(), indent=2) if arguments.json else result_text(error.result))
        return EXIT_FAILED
    except (ChannelError, PlanRefusedError) as error:
        return _failed(error)
    _say(json.dumps(result.as_dict(), indent=2) if arguments.json else result_text(result))
    return 0


def _rendered(
    opensearch: OpenSearch,
    client: AlertingClient,
    detections: Sequence[CompiledDetection],
    settings: Settings,
) -> list[RenderedMonitor]:
    from oktalogger.opensearch.names import IndexNames

    client.require()
    names = IndexNames(settings.index_prefix)
    require_mapped(opensearch, names, detections)
    return render_all(client, detections, names, monitor_settings(settings))


def _options(arguments: argparse.Namespace, settings: Settings) -> SyncOptions:
    return SyncOptions(
        delete_share=settings.detection_delete_percent / 100,
        confirm_deletions=getattr(arguments, "confirm_deletions", False),
        put_back=frozenset(arguments.put_back),
        keep_orphans=arguments.skip_broken,
    )


def _settings() -> Settings:
    from oktalogger.settings import load_settings

    return load_settings()


def _client() -> OpenSearch:
    from oktalogger.cli.environment import opensearch_client

    return opensearch_client()


def _failed(error: Exception) -> int:
    sys.stderr.write(f"error: {error}\n")
    return EXIT_FAILED


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
