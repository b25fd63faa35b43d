"""Checks that the cluster maps every field that a rule uses: in an unmapped field it would silently find nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from oktalogger.detections.rules.fields import FieldError, FieldTable
from oktalogger.detections.rules.problems import DetectionsError, Problem
from oktalogger.opensearch.mapping import newest_mapping
from oktalogger.opensearch.templates import month_template

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from opensearchpy import OpenSearch

    from oktalogger.detections.model import CompiledDetection
    from oktalogger.opensearch.names import IndexNames


def unmapped_fields(
    client: OpenSearch, names: IndexNames, detections: Iterable[CompiledDetection]
) -> tuple[Problem, ...]:
    """Compare compiled rules with the mapping of the newest month on a cluster, by one request.

    :param client: the client
    :param names: the names of the deployment
    :param detections: the rules
    :return: a problem for each field that the cluster lacks; none if nothing was loaded yet
    :raises OpenSearchLoadError: if the mapping cannot be read
    """
    mapping = newest_mapping(client, names)
    if mapping is None:
        return ()
    table = FieldTable(mapping.properties)
    ours = month_template(names).version
    remedy = (
        "Load a window with this release, which upgrades the mapping, and try again"
        if mapping.version < ours
        else "Put the field back into that mapping, or remove it from the rule"
    )
    return tuple(
        Problem(
            detection.file,
            detection.line,
            f"{detection.name} uses a field that the cluster does not have, so it would never fire: {why}. The "
            f"mapping of {mapping.index} is version {mapping.version}, ours is {ours}. {remedy}",
        )
        for detection in detections
        for why in _missing(detection, table)
    )


def require_mapped(client: OpenSearch, names: IndexNames, detections: Iterable[CompiledDetection]) -> None:
    """Refuse rules that use fields that the cluster lacks; see :func:`unmapped_fields`.

    :raises DetectionsError: if a field is missing
    :raises OpenSearchLoadError: if the mapping cannot be read
    """
    problems = unmapped_fields(client, names, detections)
    if problems:
        raise DetectionsError(problems)


def _missing(detection: CompiledDetection, table: FieldTable) -> Iterator[str]:
    threshold = detection.threshold
    counted = {*threshold.group_by, *([threshold.counted] if threshold.counted else [])} if threshold else set()
    for field in detection.fields:
        try:
            if field in counted:
                table.resolve_countable(field)
            else:
                table.resolve(field)
        except FieldError as error:
            yield str(error)
