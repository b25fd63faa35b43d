"""``OPENSEARCH_URL=... [OPENSEARCH_AUTH=...] python -m tests.live``: these tests on a real cluster.

``OPENSEARCH_AUTH`` is ``user:password``, or ``sigv4:region`` for Amazon OpenSearch Service with the AWS credentials
that boto3 finds. It is read from the environment, so that no list of processes shows it. What differs further (a
certificate authority, plain http) is said by ``OKTALOGGER_OPENSEARCH_*`` and ``OKTALOGGER_ALLOW_HTTP``.

The tests make indices and monitors under a prefix of their own, and remove them at the end.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from oktalogger.cli.environment import (
    OPENSEARCH_AWS_REGION,
    OPENSEARCH_PASSWORD,
    OPENSEARCH_URL,
    OPENSEARCH_USERNAME,
    EnvironmentConfigError,
    opensearch_client,
)
from oktalogger.detections.monitors.api import AlertingClient
from oktalogger.opensearch.errors import OpenSearchLoadError
from tests.live.cluster import LIVE

EXIT_USAGE = 2


def main() -> int:
    """Check that the cluster can be used, then run the tests on it."""
    url, auth = os.environ.get("OPENSEARCH_URL"), os.environ.get("OPENSEARCH_AUTH")
    if url:
        os.environ[OPENSEARCH_URL] = url
    scheme, _, rest = (auth or "").partition(":")
    if scheme == "sigv4":
        os.environ[OPENSEARCH_AWS_REGION] = rest
    elif auth:
        os.environ[OPENSEARCH_USERNAME], os.environ[OPENSEARCH_PASSWORD] = scheme, rest
    try:
        client = opensearch_client()
        AlertingClient(client).require()
    except (EnvironmentConfigError, OpenSearchLoadError) as error:
        sys.stderr.write(f"error: {error}\n")
        return EXIT_USAGE
    client.close()
    os.environ[LIVE] = "1"
    return int(pytest.main([str(Path(__file__).parent), "--timeout=1800", *sys.argv[1:]]))


if __name__ == "__main__":
    sys.exit(main())
