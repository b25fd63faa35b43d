"""Finds out which rules are broken and which monitors do not work: what stands on top of the page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from oktalogger.detections.bundle import BundleError, load_detections
from oktalogger.detections.monitors.api import AlertingClient
from oktalogger.detections.monitors.health import not_at_work
from oktalogger.detections.monitors.render import monitor_settings
from oktalogger.detections.monitors.stored import Owner
from oktalogger.detections.rules.problems import DetectionsError
from oktalogger.opensearch.errors import OpenSearchPermissionError
from oktalogger.resources import ResourceError, rule_folders

if TYPE_CHECKING:
    from collections.abc import Sequence

    from opensearchpy import OpenSearch

    from oktalogger.detections.model import CompiledDetection
    from oktalogger.opensearch.names import IndexNames
    from oktalogger.settings import Settings

_MOST: Final = 50


@dataclass(frozen=True, slots=True)
class Problems:
    """What is wrong, in sentences.

    :param detections: the rules that can be used
    :param rules: what is wrong with the others
    :param monitors: which rules no monitor is at work for, and why
    :param notes: what could not be asked
    """

    detections: tuple[CompiledDetection, ...] = ()
    rules: tuple[str, ...] = ()
    monitors: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def find_problems(
    client: OpenSearch, names: IndexNames, settings: Settings, folders: str | None = None, *, monitors: bool = True
) -> Problems:
    """Read the rules, and ask whether a monitor is at work for each.

    :param client: the client
    :param names: the names of the deployment
    :param settings: of the deployment
    :param folders: the folders of rules, separated by commas; None takes those of the settings
    :param monitors: whether to ask about monitors
    :raises OpenSearchLoadError: if OpenSearch cannot be asked for another reason than this user's rights
    """
    detections, broken = _rules(folders)
    if not monitors:
        return Problems(detections, broken)
    enabled = [rule for rule in detections if rule.enabled]
    try:
        reasons = _idle(client, names, settings, enabled)
    except OpenSearchPermissionError as error:
        return Problems(detections, broken, notes=(f"It is not known whether monitors are at work: {error}",))
    idle = [f"No monitor is at work for {rule.title}: {reasons[rule.id]}." for rule in enabled if rule.id in reasons]
    return Problems(detections, broken, _shortened(idle))


def _rules(folders: str | None) -> tuple[tuple[CompiledDetection, ...], tuple[str, ...]]:
    try:
        found = rule_folders(folders)
        return load_detections(*found), ()
    except DetectionsError as error:
        said = _shortened([f"A rule cannot be used: {problem}." for problem in error.problems])
    except (BundleError, ResourceError) as error:
        return (), (f"The rules cannot be read: {error}",)
    try:
        return load_detections(*found, skip_broken=True), said
    except DetectionsError:  # two rules of one name, which leaves none to choose
        return (), said


def _idle(
    client: OpenSearch, names: IndexNames, settings: Settings, rules: Sequence[CompiledDetection]
) -> dict[str, str]:
    alerting = AlertingClient(client)
    if not alerting.available():
        return {}  # every rule runs after each load
    return not_at_work(
        alerting, rules, names=names, settings=monitor_settings(settings), owner=Owner(settings.index_prefix)
    )


def _shortened(sentences: Sequence[str]) -> tuple[str, ...]:
    more = len(sentences) - _MOST
    return (*sentences[:_MOST], f"{more} more like these.") if more > 0 else tuple(sentences)
