"""``make demo`` and ``make demo-check``."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from local.console import Stopwatch
from local.stack.airflow import USER
from local.stack.detections import FINDS, MATCHES, ui_url, wait_for_findings, wait_for_labels
from local.stack.progress import HEAD, follow, line, wait_for_windows
from local.stack.stack import DAG_ID, WINDOW, running_stack
from local.stack.stored import ALIAS, compare, count, stored_uuids
from local.stack.waiting import until

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from local.stack.detections import Finding
    from local.stack.settings import StackSettings
    from local.stack.stack import Stack

Answer = TypeVar("Answer")

WINDOWS = 3
PAGE_DAG_ID = "okta_page"
LIMIT = 1_800  # seconds after which a check gives up; a demo goes on
HOLD_BACK = timedelta(seconds=30)
"""How long after a window's end its load waits; the default of ``OKTALOGGER_HOLD_BACK_SECONDS``."""

QUERY = """{
  "query": {"term": {"outcome.result": "FAILURE"}},
  "aggs": {
    "who": {"terms": {"field": "actor.alternateId", "size": 5}, "aggs": {"what": {"terms": {"field": "eventType"}}}}
  }
}"""
FIELDS = "aggregations.**.key,aggregations.**.doc_count"


def demo(settings: StackSettings) -> None:
    """Run the demo until somebody ends it.

    :raises StackError: if a part cannot start, ends by itself, the first windows are not loaded, or what happened in
        them is not found
    """
    watch = Stopwatch()
    with running_stack(settings, watch) as stack:
        runs = wait_for_windows(stack, watch, WINDOWS)
        watch.say(f"{len(runs)} windows are loaded")
        # What was loaded before stays as it is: then only what happens from now on is new.
        detections = wait_for_findings(stack, watch, FINDS if stack.is_first_start else ())
        _show(stack, watch, detections.found)
        print(HEAD)
        for run in runs:
            print(_told(stack, watch, partial(line, stack, run)), flush=True)
        follow(stack, {run.run_id for run in runs}, detections)


def _told(stack: Stack, watch: Stopwatch, ask: Callable[[], Answer | None]) -> Answer:
    return until(ask, lambda: "waiting for an answer", watch, stack.parts.check)


def check(settings: StackSettings) -> bool:
    """Run the demo from nothing, compare OpenSearch with the org, see that attacks are found, and end it.

    :return: whether every expected event of each loaded window is in OpenSearch exactly once, and nothing else
    :raises StackError: if a part cannot start, ends by itself, the windows are not loaded, or an attack that the
        org's stories tell of is not found
    """
    watch = Stopwatch()
    with running_stack(settings, watch, from_nothing=True) as stack:
        runs = wait_for_windows(stack, watch, WINDOWS, limit=LIMIT)
        watch.say(f"{len(runs)} windows are loaded; comparing OpenSearch with the org's own list")
        results = [_compare(stack, run.start, run.end) for run in runs]
        found = wait_for_findings(stack, watch, FINDS, limit=LIMIT).found
        _show_findings(found)
        unnamed = _unnamed(stack, watch, found)
    passed = all(results) and not unnamed
    print(
        f"{'PASSED' if passed else 'FAILED'}: {sum(results)} of {len(results)} windows hold exactly the org's events, "
        f"{len(FINDS)} of {len(FINDS)} attacks are found{f', not named in the UI: {unnamed}' if unnamed else ''}"
    )
    return passed


def _unnamed(stack: Stack, watch: Stopwatch, found: Sequence[Finding]) -> list[str]:
    """The titles of findings that no task in Airflow's UI is named after."""
    labels = [
        label
        for run_id, number in Counter(one.run_id for one in found).items()
        for label in wait_for_labels(stack, watch, run_id, number, limit=LIMIT)
    ]
    return [one.title for one in found if not any(one.title in label for label in labels)]


def _compare(stack: Stack, start: datetime, end: datetime) -> bool:
    events = stack.okta.hidden(start.isoformat(), end.isoformat(), all="1")
    persisted = {event["uuid"]: datetime.fromisoformat(event["persisted"]) for event in events}
    found = compare(stored_uuids(stack.opensearch_url, start, end), persisted, end + HOLD_BACK)
    print(
        f"  {start:%H:%M} - {end:%H:%M}  {found.expected:,} expected, {len(found.missing)} missing, "
        f"{len(found.twice)} twice, {len(found.foreign)} not the org's, {found.late} late"
    )
    for name in ("missing", "twice", "foreign"):
        for uuid in getattr(found, name)[:5]:
            print(f"    {name}: {uuid}")
    return found.holds and found.expected > 0


def _show_findings(found: Sequence[Finding]) -> None:
    if found:
        print("\nWhat the detections found in it:")
    for one in found:
        print(one)


def _page(stack: Stack, watch: Stopwatch) -> str:
    """The address of the Okta page, once it shows what was found; empty if this Airflow has none."""
    page = _told(stack, watch, stack.api.page)
    if not page:
        return ""
    watch.say("measuring what the Okta page shows")
    # Each load starts a run, but it may end before the detections do.
    run_id = _told(stack, watch, partial(stack.api.start_run, PAGE_DAG_ID))

    def state() -> str | None:
        now = stack.api.run_state(PAGE_DAG_ID, run_id)
        return now if now in ("success", "failed") else None

    ended = until(state, lambda: f"waiting for {PAGE_DAG_ID} to measure", watch, stack.parts.check)
    return page if ended == "success" else f"{page} (the run {run_id} of {PAGE_DAG_ID} failed: see its log)"


def _show(stack: Stack, watch: Stopwatch, found: Sequence[Finding]) -> None:
    documents = _told(stack, watch, partial(count, stack.opensearch_url))
    page = _page(stack, watch)
    search = f"{stack.opensearch_url}/{ALIAS}/_search"
    print()
    for index, number in documents.items():
        print(f"OpenSearch has {number:,} documents in {index}.")
    _show_findings(found)
    print(
        f"""
Where to look
  Airflow      {stack.airflow.url}/dags/{DAG_ID}{"/grid" if stack.airflow.is_2 else ""}
               user {USER}, password {stack.airflow.password}
  Detections   {ui_url(stack, found[0].run_id if found else None)}
               a task `finding` for each rule that found something, named after it; its log says what to do
               {stack.opensearch_url}/{MATCHES}/_search?pretty&q=detection.name:{found[0].rule if found else "*"}
  OpenSearch   {search}
  The org      {stack.okta_url} (simulated)
{
            f'''
Begin here: coverage, volume and the attacks on one page
  {page}
'''
            if page
            else ""
        }
Who fails most often, and at what? Paste this into another terminal:

curl -s '{search}?pretty&filter_path={FIELDS}' -H 'Content-Type: application/json' -d '{QUERY}'

A new window is loaded every {WINDOW.total_seconds() / 60:.0f} minutes.
Ctrl-C ends everything; the data stays for the next start.
"""
    )
