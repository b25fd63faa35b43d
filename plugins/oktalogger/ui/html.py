"""Renders the Okta page as one HTML file that asks nobody for anything but, inside Airflow, Airflow itself.

What the page shows is drawn by our own scripts from snapshots, as text nodes: the name of an actor is never HTML. A
content security policy lets these scripts run, by their hash, and no others. Without JavaScript a report is a plain
calendar with the findings.
"""

from __future__ import annotations

import base64
import hashlib
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Final

from oktalogger.ui.packing import fit
from oktalogger.ui.plain import plain_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from oktalogger.ui.snapshot import Snapshot

_ASSETS: Final = Path(__file__).parent / "assets"
_SHARED: Final = ("parts.js", "coverage.js", "page.js")
_TITLE: Final = "Okta System Log"


def report_page(snapshots: Sequence[Snapshot]) -> str:
    """Return a report: one file that needs no server, no Airflow and no network.

    :param snapshots: one of each org
    """
    packed = [fit(snapshot)[1] for snapshot in snapshots]
    data = "".join(f'<script type="text/plain">{text}</script>\n' for text in packed)
    plain = "".join(plain_text(snapshot) for snapshot in snapshots)
    body = f"<body>\n<main></main>\n<noscript>{plain}</noscript>\n{data}"
    return _page(body, scripts=(*_SHARED, "report.js"), connects="'none'")


def airflow_page(*, api: str, line: int) -> str:
    """Return the page inside Airflow. It holds no data: its script reads Airflow's REST API as whoever looks.

    :param api: address of the REST API, relative to the page's own
    :param line: Airflow's major version
    """
    body = (
        f'<body data-api="{escape(api)}" data-line="{line}">\n<main><p>Reading what the DAG okta_page has measured ...'
        "</p></main>\n<noscript><p>This page needs JavaScript. A report does not: "
        "<code>python -m oktalogger report --html FILE</code></p></noscript>\n"
    )
    return _page(body, scripts=(*_SHARED, "airflow.js"), connects="'self'")


def _page(body: str, *, scripts: Iterable[str], connects: str) -> str:
    script = "\n".join(_asset(name) for name in scripts)
    style = _asset("page.css")
    policy = (
        f"default-src 'none'; script-src {_hash(script)}; style-src {_hash(style)}; connect-src {connects}; "
        "base-uri 'none'; form-action 'none'"
    )
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{_TITLE}</title>\n<style>{style}</style>\n</head>\n{body}<script>{script}</script>\n</body>\n</html>\n"
    )


def _asset(name: str) -> str:
    return (_ASSETS / name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
