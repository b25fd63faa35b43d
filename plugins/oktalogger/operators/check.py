"""Operators that ask every part of a deployment whether it works."""

from __future__ import annotations

import logging
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, ClassVar, Final

from oktalogger.compat import AirflowFailException, BaseOperator
from oktalogger.notifications.channels import send_to
from oktalogger.settings import SettingsError, load_settings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from oktalogger.checks.model import Line
    from oktalogger.compat import Context

POOL_TASK: Final = "use_the_pool"
"""The task of ``okta_check`` that starts only if its pool is there."""
_LEVELS: Final = {"ok": logging.INFO, "note": logging.WARNING, "not asked": logging.WARNING, "wrong": logging.ERROR}


class PoolOperator(BaseOperator):
    """Does nothing. That it starts shows that its pool is there and has a slot."""

    def execute(self, context: Context) -> None:
        """Return at once."""


class OktaCheckOperator(BaseOperator):
    """
    Asks every part of a deployment whether it works: settings, pool, Okta, OpenSearch, detections, Dashboards.

    It changes nothing anywhere. The log has a line for each question, and the XCom ``report`` all of them. If something
    is wrong, the task fails and names it; if ``OKTALOGGER_CHECK_CHANNEL`` is set, it tells that channel instead.

    :param opensearch_conn_id: Airflow connection to OpenSearch (templated); None takes
        ``OKTALOGGER_OPENSEARCH_CONN_ID``. Give an administrator's to be told of disks, retention and roles
    :param channel: the channel of ``OKTALOGGER_DETECTION_NOTIFIERS`` to tell; None takes ``OKTALOGGER_CHECK_CHANNEL``
    """

    template_fields: Sequence[str] = ("opensearch_conn_id",)
    ui_color = "#d5f1ff"
    report_key: ClassVar[str] = "report"

    def __init__(self, *, opensearch_conn_id: str | None = None, channel: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.opensearch_conn_id = opensearch_conn_id
        self.channel = channel

    def execute(self, context: Context) -> dict[str, str]:
        """Ask.

        :return: what each check found, by its name
        :raises AirflowFailException: if something is wrong and no channel is told
        """
        # Here, because parsing the DAG must not import every part of the package.
        from oktalogger.checks.deployment import check_everything
        from oktalogger.checks.report import as_dict, summary, text_of
        from oktalogger.operators.deployment import deployment_of

        lines: list[Line] = []
        with ExitStack() as clients:
            deployment = deployment_of(
                context, clients, opensearch_conn_id=self.opensearch_conn_id, pool_task=POOL_TASK
            )
            for line in check_everything(deployment):
                lines.append(line)
                if line.verdict.because:
                    continue
                self.log.log(_LEVELS[line.verdict.state], "%s", text_of(line))
                if line.verdict.detail:
                    self.log.info("           %s", line.verdict.detail)
        self.log.info("%s", summary(lines))
        context["ti"].xcom_push(key=self.report_key, value=as_dict(lines))
        wrong = [text_of(line).removeprefix("WRONG").strip() for line in lines if line.verdict.state == "wrong"]
        if wrong:
            self._raise("\n".join(wrong), as_dict(lines), context)
        return {f"{line.check} ({line.about})" if line.about else line.check: line.verdict.state for line in lines}

    def _raise(self, text: str, report: dict[str, Any], context: Context) -> None:
        try:
            settings = load_settings()
        except SettingsError:  # one of the lines says so
            raise AirflowFailException(text) from None
        channel = self.channel or settings.check_channel
        if channel is None:
            raise AirflowFailException(text)
        definition = settings.detection_notifiers.get(channel)
        if definition is None:
            raise AirflowFailException(
                f"{text}\n(Nobody was told: OKTALOGGER_DETECTION_NOTIFIERS has no channel {channel!r}.)"
            )
        alert = {"text": f"okta_check: {text}", "title": "Okta System Log: something is wrong", "channel": channel}
        try:
            send_to(channel, definition, {**alert, **report}, context)
        except SettingsError as error:
            raise AirflowFailException(f"{text} (Nobody was told: {error})") from error
