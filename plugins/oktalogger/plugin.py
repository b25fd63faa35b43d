"""Defines the Airflow plugin: the Okta page in the menu, the timetables, and the extra links for Airflow 2.11.

Airflow finds this file in two ways: by the entry point ``airflow.plugins`` of an installed wheel, and by walking the
plugins folder, where it loads single files under their bare names. Only this file is left for that walk to find (see
``.airflowignore`` beside it). If both are there, the walk must find no plugin: Airflow 3 reports a second plugin of
the same name as an import error.
"""

from __future__ import annotations

from importlib.metadata import entry_points
from typing import Any

from airflow.plugins_manager import AirflowPlugin

from oktalogger.compat import PAGE_LINE
from oktalogger.links.system_log import OktaSystemLogLink, OpenSearchDashboardsLink, RejectedEventsLink
from oktalogger.timetables import CronFromTimetable, FilesOrDailyTimetable
from oktalogger.ui.served import PATH, FlaskViews, OktaPageApp


def _is_installed() -> bool:
    return any(point.value.startswith("oktalogger.") for point in entry_points(group="airflow.plugins"))


if __name__ == "oktalogger.plugin" or not _is_installed():

    class OktaloggerPlugin(AirflowPlugin):
        """Registers the page, the extra links and the timetables. Hooks and operators need no plugin."""

        name = "oktalogger"
        operator_extra_links = [OktaSystemLogLink(), OpenSearchDashboardsLink(), RejectedEventsLink()]  # noqa: RUF012
        timetables = [CronFromTimetable, FilesOrDailyTimetable]  # noqa: RUF012
        # Airflow 3.1 and later: a page without data, which a frame in the UI shows.
        fastapi_apps: list[Any] = [{"app": OktaPageApp(), "url_prefix": PATH, "name": "okta"}] if PAGE_LINE == 3 else []
        # No slash in front, so that a URL prefix of the web server's stays.
        external_views: list[Any] = (
            [{"name": "Okta", "href": f"{PATH[1:]}/page", "destination": "nav", "url_route": "okta"}]
            if PAGE_LINE == 3
            else []
        )
        appbuilder_views: Any = FlaskViews() if PAGE_LINE == 2 else []
