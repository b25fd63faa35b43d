"""``make demo`` and ``make demo-check``."""

from __future__ import annotations

import shutil
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from local.console import Stopwatch
from local.stack.airflow import USER
from local.stack.progress import HEAD, follow, line, wait_for_windows
from local.stack.stack import DAG_ID, running_stack
from local.stack.stored import ALIAS, compare, count, stored_uuids

if TYPE_CHECKING:
    from local.stack.settings import StackSettings
    from local.stack.stack import Stack

WINDOWS = 3
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

    :raises StackError: where a part cannot start, ends by itself, or the first windows are not loaded
    """
    watch = Stopwatch()
    with running_stack(settings, watch) as stack:
        runs = wait_for_windows(stack, watch, WINDOWS)
        watch.say(f"{len(runs)} windows are loaded")
        _show(stack)
        print(HEAD)
        for run in runs:
            print(line(stack, run), flush=True)
        follow(stack, {run.run_id for run in runs})


def check(settings: StackSettings) -> bool:
    """Run the demo from nothing, compare OpenSearch with the org, and end it.

    :return: whether every expected event of each loaded window is in OpenSearch exactly once, and nothing else
    :raises StackError: where a part cannot start, ends by itself, or the windows are not loaded
    """
    watch = Stopwatch()
    shutil.rmtree(settings.home, ignore_errors=True)
    shutil.rmtree(settings.opensearch_home, ignore_errors=True)
    with running_stack(settings, watch) as stack:
        runs = wait_for_windows(stack, watch, WINDOWS)
        watch.say(f"{len(runs)} windows are loaded; comparing OpenSearch with the org's own list")
        results = [_compare(stack, run.start, run.end) for run in runs]
    passed = all(results)
    print(f"{'PASSED' if passed else 'FAILED'}: {sum(results)} of {len(results)} windows hold exactly the org's events")
    return passed


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


def _show(stack: Stack) -> None:
    documents = count(stack.opensearch_url)
    search = f"{stack.opensearch_url}/{ALIAS}/_search"
    print()
    for index, number in documents.items():
        print(f"OpenSearch has {number:,} documents in {index}.")
    print(
        f"""
Where to look
  Airflow      {stack.airflow.url}/dags/{DAG_ID}{"/grid" if stack.airflow.is_2 else ""}
               user {USER}, password {stack.airflow.password}
  OpenSearch   {search}
  The org      {stack.okta_url} (simulated)

Who fails most often, and at what? Paste this into another terminal:

curl -s '{search}?pretty&filter_path={FIELDS}' -H 'Content-Type: application/json' -d '{QUERY}'

A new window is loaded every five minutes. Ctrl-C ends everything; the data stays for the next start.
"""
    )
