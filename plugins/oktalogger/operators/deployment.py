"""Reaches everything that a deployment needs by its Airflow connections, for the checks.

Only a task that checks imports this module, because it imports nearly all others.
"""

from __future__ import annotations

import time
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Final

from oktalogger.checks.airflow import Pool, PoolAnswer
from oktalogger.checks.cluster import Cluster
from oktalogger.checks.dashboards import Dashboards, patterns_of
from oktalogger.checks.deployment import Deployment
from oktalogger.checks.okta import Org
from oktalogger.checks.sentences import Places
from oktalogger.compat import AIRFLOW_3, AirflowNotFoundException, is_dags_test, pool_slots, task_state
from oktalogger.hooks.extras import ConnectionSettingsError
from oktalogger.hooks.okta import OktaHook
from oktalogger.hooks.opensearch import OpenSearchHook
from oktalogger.notifications.channels import make_notifier
from oktalogger.opensearch.names import IndexNames
from oktalogger.pipeline.share import share_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import ExitStack

    from oktalogger.compat import Context
    from oktalogger.settings import Settings

_UNUSABLE: Final = (ConnectionSettingsError, AirflowNotFoundException)
_POOL_SECONDS: Final = 120.0
_POLL_SECONDS: Final = 2.0


def deployment_of(
    context: Context, clients: ExitStack, *, opensearch_conn_id: str | None, pool_task: str
) -> Deployment:
    """Return how to reach a deployment. It asks nothing.

    :param context: of the running task
    :param clients: closes what was opened
    :param opensearch_conn_id: connection to OpenSearch; None takes that of the settings
    :param pool_task: the task of the same run that uses the pool
    """

    def hook(settings: Settings) -> OpenSearchHook:
        made = OpenSearchHook(opensearch_conn_id or settings.opensearch_conn_id)
        clients.callback(lambda: made.client.close() if "client" in made.__dict__ else None)
        return made

    return Deployment(
        orgs=lambda settings: [_org(conn_id, settings) for conn_id in settings.okta_conn_ids],
        cluster=lambda settings: _cluster(hook(settings), settings),
        dashboards=lambda settings: _dashboards(hook(settings), settings),
        pool=lambda settings: Pool(
            name=settings.pool,
            ask=partial(ask_for_pool, context=context, pool_task=pool_task),
        ),
        make_notifier=make_notifier,
    )


def _org(conn_id: str, settings: Settings) -> Org:
    connection = f"the connection `{conn_id}`"
    return Org(
        name=conn_id,
        open=lambda: OktaHook(conn_id).client,
        filter=lambda: OktaHook(conn_id).settings.filter,
        q=lambda: OktaHook(conn_id).settings.q,
        places=Places(host=f"the host of {connection}", login=f"the login of {connection}", settings=connection),
        filter_place=connection,
        share=share_of("scheduled", settings),
        unusable=_UNUSABLE,
    )


def _cluster(hook: OpenSearchHook, settings: Settings) -> Cluster:
    return Cluster(
        name=hook.opensearch_conn_id,
        url=lambda: hook.settings.url,
        client=lambda: hook.client,
        names=IndexNames(settings.index_prefix),
        settings=settings,
        places=_opensearch_places(hook),
        serverless=lambda: hook.serverless,
        unusable=_UNUSABLE,
    )


def _opensearch_places(hook: OpenSearchHook) -> Places:
    connection = f"the connection `{hook.opensearch_conn_id}`"
    return Places(host=f"the host of {connection}", login=f"the login of {connection}", settings=connection)


def _dashboards(hook: OpenSearchHook, settings: Settings) -> Dashboards:
    where = f"the extra `dashboards_url` of the connection `{hook.opensearch_conn_id}`"
    return Dashboards(
        client=lambda: hook.dashboards(settings),
        patterns=patterns_of(IndexNames(settings.index_prefix), hook.dashboards_index_pattern),
        places=replace(_opensearch_places(hook), host=where if hook.dashboards_url else "OKTALOGGER_DASHBOARDS_URL"),
    )


def ask_for_pool(
    name: str,
    *,
    context: Context,
    pool_task: str,
    sleep: Callable[[float], None] = time.sleep,
    seconds: float = _POOL_SECONDS,
) -> PoolAnswer:
    """Ask Airflow for a pool: 2.11 its database, 3 by a task that starts only if the pool is there.

    :param name: of the pool
    :param context: of the running task
    :param pool_task: the task of the same run that uses the pool
    :param sleep: waits that many seconds
    :param seconds: how long to wait for that task
    """
    if not AIRFLOW_3:
        slots = pool_slots(name)
        return PoolAnswer(slots is not None, slots)
    if pool_task not in getattr(context["dag"], "task_ids", ()):
        return PoolAnswer(
            None, why=f"Airflow 3 tells no task of its pools: run the DAG okta_check, which has {pool_task}."
        )
    if is_dags_test(context):
        return PoolAnswer(None, why="`airflow dags test` runs tasks without a pool, in any order: trigger the DAG.")
    waited = 0.0
    while task_state(context, pool_task) in (None, "scheduled"):
        if waited >= seconds:
            return PoolAnswer(False)
        sleep(_POLL_SECONDS)
        waited += _POLL_SECONDS
    return PoolAnswer(True)
