"""Runs every check of a deployment."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from oktalogger.checks import airflow, dashboards, detections, loads, okta, opensearch, settings
from oktalogger.checks.model import run
from oktalogger.okta.origin import org_name
from oktalogger.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from oktalogger.checks.airflow import Pool
    from oktalogger.checks.cluster import Cluster
    from oktalogger.checks.dashboards import Dashboards
    from oktalogger.checks.model import Line
    from oktalogger.checks.okta import Org
    from oktalogger.checks.rights import Role
    from oktalogger.settings import Settings


@dataclass(frozen=True, kw_only=True)
class Deployment:
    """How to reach everything that a deployment needs. Making it asks nothing.

    :param orgs: the Okta orgs
    :param cluster: the OpenSearch cluster
    :param dashboards: its Dashboards, asked for when the cluster's connection can be used
    :param pool: the pool of the tasks that call Okta
    :param make_notifier: as for :class:`~oktalogger.checks.detections.Detections`
    :param role: whose rights of OpenSearch to ask for; by default the loader's, and the sync's where there is the
        Alerting plugin
    :param environ: the environment; ``os.environ`` by default
    """

    orgs: Callable[[Settings], Sequence[Org]]
    cluster: Callable[[Settings], Cluster]
    dashboards: Callable[[Settings], Dashboards]
    pool: Callable[[Settings], Pool]
    make_notifier: Callable[[str, Mapping[str, Any]], object] | None = None
    role: Role | None = None
    environ: Mapping[str, str] | None = None


def check_everything(deployment: Deployment, *, now: datetime | None = None) -> Iterator[Line]:
    """Run all checks, and yield a line for each as soon as it is answered.

    If the settings cannot be read, nothing else is asked, because they say where everything is.

    :param deployment: what to check
    :param now: the time, in UTC
    """
    environment = settings.Environment(settings=lambda: load_settings(deployment.environ), now=now or datetime.now(UTC))
    for line in run(settings.CHECKS, environment):
        yield line
        if line.check == "settings" and line.verdict.state == "wrong":
            return
    values = environment.settings()
    yield from run(airflow.CHECKS, deployment.pool(values))
    orgs = deployment.orgs(values)
    named: list[Org] = []
    for org in orgs:
        for line in run(okta.CHECKS, org, about=org.name):
            if line.check == okta.NAMED and line.verdict.state == "ok":
                named.append(org)
            yield line
    cluster = deployment.cluster(values)
    usable = True
    for line in run(opensearch.cluster_checks(deployment.role or "loader"), cluster, about=cluster.name):
        usable = usable and (line.check not in opensearch.REACH or line.verdict.state in ("ok", "note"))
        yield line
    if usable:
        for org in named:
            subject = loads.Loads(org=org_name(org.origin), cluster=cluster, now=environment.now)
            yield from run(loads.CHECKS, subject, about=org.name)
    rules = detections.Detections(
        settings=values,
        cluster=cluster if usable else None,
        make_notifier=deployment.make_notifier,
        sync=deployment.role is None,
    )
    yield from run(detections.CHECKS, rules)
    if usable:
        yield from run(dashboards.CHECKS, deployment.dashboards(values))
