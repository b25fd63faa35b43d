"""Checks of the detections: rules, the Alerting plugin, monitors, channels and notifiers."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from oktalogger.checks.model import Check, Verdict, not_asked, note, ok, wrong
from oktalogger.checks.rights import rights_verdict
from oktalogger.checks.sentences import one_sentence
from oktalogger.detections.bundle import BundleError, load_detections
from oktalogger.detections.monitors.api import AlertingClient
from oktalogger.detections.monitors.channels import ChannelError, resolve_channels
from oktalogger.detections.monitors.health import not_at_work
from oktalogger.detections.monitors.render import monitor_settings
from oktalogger.detections.monitors.stored import Owner
from oktalogger.detections.rules.problems import DetectionsError
from oktalogger.opensearch.errors import OpenSearchPermissionError
from oktalogger.resources import rule_folders
from oktalogger.settings import SettingsError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from oktalogger.checks.cluster import Cluster
    from oktalogger.detections.model import CompiledDetection
    from oktalogger.settings import Settings


@dataclass(frozen=True, kw_only=True)
class Detections:
    """The detections to ask about.

    :param settings: of the deployment
    :param cluster: where monitors would be; None if it cannot be asked
    :param sync: whether this login is the one that keeps monitors in step
    :param make_notifier: makes the Airflow notifier of a channel, and raises ``SettingsError``; None without Airflow
    """

    settings: Settings
    cluster: Cluster | None
    sync: bool = True
    make_notifier: Callable[[str, Mapping[str, Any]], object] | None = None

    @cached_property
    def rules(self) -> tuple[CompiledDetection, ...]:
        """The compiled rules that are enabled."""
        return tuple(rule for rule in load_detections(*rule_folders()) if rule.enabled)

    @cached_property
    def alerting(self) -> AlertingClient | None:
        """The Alerting plugin; None if the cluster has none, or cannot be asked."""
        if self.cluster is None:
            return None
        client = AlertingClient(self.cluster.client())
        return client if client.available() else None

    @cached_property
    def channels(self) -> tuple[str, ...]:
        """The channels that rules and settings name."""
        common = monitor_settings(self.settings)
        return tuple(sorted({name for rule in self.rules for name in rule.channels_under(common)}))


def _rules(detections: Detections) -> Verdict:
    try:
        count = len(detections.rules)
    except DetectionsError as error:
        return wrong(one_sentence(f"A rule cannot be used: {error.problems[0]}"), error)
    except (BundleError, SettingsError) as error:
        return wrong(one_sentence(str(error)), error)
    return ok(f"{count} rules are compiled and enabled.")


def _alerting(detections: Detections) -> Verdict:
    if detections.cluster is None:
        return not_asked("OpenSearch could not be asked whether it has the Alerting plugin.")
    if detections.alerting is None:
        return note(
            "This cluster has no Alerting plugin, so that rules run only in the DAG okta_detections_after_load: turn "
            "it on."
        )
    return ok("The Alerting plugin is there.")


def _monitors(detections: Detections) -> Verdict:
    if detections.alerting is None:
        return ok("Without the Alerting plugin there are no monitors.")
    settings = detections.settings
    idle = not_at_work(
        detections.alerting,
        detections.rules,
        names=detections.cluster.names,  # type: ignore[union-attr]
        settings=monitor_settings(settings),
        owner=Owner(settings.index_prefix),
    )
    if not idle:
        return ok(f"Each of the {len(detections.rules)} rules has a monitor at work.")
    titles = {rule.id: rule.title for rule in detections.rules}
    first, why = next(iter(sorted(idle.items())))
    return wrong(
        f"{len(idle)} of {len(detections.rules)} rules have no monitor at work (of `{titles[first]}`: {why}): run the "
        "DAG okta_detections, and look at its plan."
    )


def _sync_rights(detections: Detections) -> Verdict:
    if not detections.sync:
        return ok("Not asked for: this login has another role.")
    if detections.alerting is None or detections.cluster is None:
        return ok("Without the Alerting plugin nobody needs the rights of oktalogger_sync.")
    return rights_verdict(detections.cluster, "sync")


def _channels(detections: Detections) -> Verdict:
    wanted = detections.channels
    if not wanted:
        return note("No rule names a channel, so nobody is told of findings: set OKTALOGGER_DETECTION_CHANNELS.")
    if detections.alerting is None:
        without = [name for name in wanted if name not in detections.settings.detection_notifiers]
        if without:
            return wrong(
                f"The channel {', '.join(without)} has no notifier, so nobody is told of its findings: add it to "
                "OKTALOGGER_DETECTION_NOTIFIERS."
            )
        return ok(f"Each channel has a notifier: {', '.join(wanted)}.")
    try:
        resolve_channels(detections.alerting, wanted)
    except ChannelError as error:
        return wrong(one_sentence(str(error).replace(" Nothing was written.", "")), error)
    except OpenSearchPermissionError as error:
        return not_asked("Channels are told only to those who have the role oktalogger_sync.", error)
    return ok(f"Each channel exists and is enabled: {', '.join(wanted)}.")


def _notifiers(detections: Detections) -> Verdict:
    settings = detections.settings
    definitions = settings.detection_notifiers
    for name, channel in (("RECONCILE", settings.reconcile_channel), ("CHECK", settings.check_channel)):
        if channel is not None and channel not in definitions:
            return wrong(
                f"OKTALOGGER_{name}_CHANNEL is {channel}, which OKTALOGGER_DETECTION_NOTIFIERS does not name: add it "
                "there, or correct the name."
            )
    if not definitions:
        return ok("No notifier is set.")
    if detections.make_notifier is None:
        return not_asked("Notifiers can be made only within Airflow: run the DAG okta_check.")
    for channel, definition in definitions.items():
        try:
            detections.make_notifier(channel, definition)
        except SettingsError as error:
            return wrong(one_sentence(str(error)), error)
    return ok(f"Each notifier can be made: {', '.join(definitions)}.")


CHECKS: Final[tuple[Check[Detections], ...]] = (
    Check("rules", _rules),
    Check("alerting", _alerting),
    Check("rights of the sync", _sync_rights, after=("alerting",)),
    Check("monitors", _monitors, after=("rules", "alerting")),
    Check("channels", _channels, after=("rules",)),
    Check("notifiers", _notifiers),
)
