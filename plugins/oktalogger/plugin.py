"""The Airflow plugin: it makes the extra links known to Airflow 2.11's web server.

Airflow finds this file in two ways: by the entry point ``airflow.plugins`` of an installed wheel, and by walking the
plugins folder, where it loads single files under their bare names. Only this file is left for that walk to find (see
``.airflowignore`` beside it). Where both are there, the walk must find no plugin: Airflow 3 reports a second plugin of
the same name as an import error.
"""

from __future__ import annotations

from importlib.metadata import entry_points

from airflow.plugins_manager import AirflowPlugin

from oktalogger.links.system_log import OktaSystemLogLink, OpenSearchDashboardsLink, RejectedEventsLink
from oktalogger.timetables import CronFromTimetable, FilesOrDailyTimetable


def _is_installed() -> bool:
    return any(point.value.startswith("oktalogger.") for point in entry_points(group="airflow.plugins"))


if __name__ == "oktalogger.plugin" or not _is_installed():

    class OktaloggerPlugin(AirflowPlugin):
        """Registers the extra links and the timetables. Hooks and operators need no plugin."""

        name = "oktalogger"
        operator_extra_links = [OktaSystemLogLink(), OpenSearchDashboardsLink(), RejectedEventsLink()]  # noqa: RUF012
        timetables = [CronFromTimetable, FilesOrDailyTimetable]  # noqa: RUF012
