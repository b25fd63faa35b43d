"""Index names of a test's own, of which nothing is left on the cluster afterwards."""

from __future__ import annotations

import uuid
from contextlib import contextmanager
from typing import TYPE_CHECKING

from oktalogger.opensearch.names import IndexNames

if TYPE_CHECKING:
    from collections.abc import Iterator

    from opensearchpy import OpenSearch


@contextmanager
def own_names(client: OpenSearch) -> Iterator[IndexNames]:
    """Make up names, and remove in the end whatever has them.

    :param client: of somebody who may delete
    """
    names = IndexNames(f"test-{uuid.uuid4().hex[:12]}")
    try:
        yield names
    finally:
        remove(client, names)


def remove(client: OpenSearch, names: IndexNames) -> None:
    """Remove all indices and index templates of a prefix, those that a full disk has made read-only as well."""
    everything = f"{names.prefix}*"
    for index in client.indices.get(index=everything, expand_wildcards="all"):
        client.indices.put_settings(index=index, body={"index.blocks.read_only_allow_delete": None})
        client.indices.delete(index=index)
    client.indices.delete_index_template(name=everything, ignore=[404])
