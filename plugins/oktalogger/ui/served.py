"""Serves the Okta page inside Airflow's web server: a static page, which holds no data and so needs no login.

Every process of Airflow reads the plugin, and only the web server serves it. So nothing here imports a web framework
before a page is asked for.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final, overload

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, MutableMapping

PATH: Final = "/okta"
# Of the REST API, as seen from /okta/page: a URL prefix of the web server's stands before both.
_API_2: Final = "../api/v1"
_API_3: Final = "../api/v2"
_HEADERS: Final = {
    "content-type": "text/html; charset=utf-8",
    "cache-control": "no-cache",
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
}
# Airflow 2's own frame around the page.
_FRAME: Final = """
{% extends base_template %}
{% block page_title %}Okta{% endblock %}
{% block content %}
<iframe src="{{ page }}" title="Okta" style="border: 0; width: 100%; height: calc(100vh - 140px)"></iframe>
{% endblock %}
"""


class OktaPageApp:
    """Answers with the page, as an ASGI application, which Airflow 3 mounts."""

    async def __call__(
        self,
        scope: MutableMapping[str, Any],
        receive: Callable[[], Awaitable[MutableMapping[str, Any]]],
        send: Callable[[MutableMapping[str, Any]], Awaitable[None]],
    ) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return
        status, body = self._answer(scope["method"], scope["path"])
        headers = [(name.encode(), value.encode()) for name, value in _HEADERS.items()]
        headers.append((b"content-length", str(len(body)).encode()))
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})

    def _answer(self, method: str, path: str) -> tuple[int, bytes]:
        if method not in ("GET", "HEAD"):
            return 405, b"Only GET and HEAD."
        if path.rpartition("/")[2] != "page":
            return 404, b"There is only one page here."
        from oktalogger.ui.html import airflow_page

        return 200, airflow_page(api=_API_3, line=3).encode()


class FlaskViews(Sequence[dict[str, Any]]):
    """The plugin's views of Airflow 2, made when the web server asks for them."""

    def __len__(self) -> int:
        """Return 1."""
        return 1

    @overload
    def __getitem__(self, place: int) -> dict[str, Any]: ...

    @overload
    def __getitem__(self, place: slice) -> Sequence[dict[str, Any]]: ...

    def __getitem__(self, place: int | slice) -> dict[str, Any] | Sequence[dict[str, Any]]:
        """Return the one view, as Flask-AppBuilder takes it."""
        return [{"name": "Okta", "view": _flask_view()}][place]


def _flask_view() -> Any:
    flask: Any = import_module("flask")
    appbuilder: Any = import_module("flask_appbuilder")
    security: Any = import_module("flask_appbuilder.security.decorators")

    from oktalogger.ui.html import airflow_page

    class Okta(appbuilder.BaseView):  # type: ignore[misc]
        route_base = PATH
        default_view = "framed"

        @appbuilder.expose("/")  # type: ignore[untyped-decorator]
        @security.has_access  # type: ignore[untyped-decorator]
        @security.permission_name("read")  # type: ignore[untyped-decorator]
        def framed(self) -> Any:
            base = {"base_template": self.appbuilder.base_template, "appbuilder": self.appbuilder}
            return flask.render_template_string(_FRAME, page="page", **base)

        @appbuilder.expose("/page")  # type: ignore[untyped-decorator]
        def page(self) -> Any:
            return flask.Response(airflow_page(api=_API_2, line=2), headers=_HEADERS)

    return Okta()
