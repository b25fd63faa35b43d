"""A running OpenSearch for the tests of this folder."""

from __future__ import annotations

import os

import pytest


@pytest.fixture(scope="session")
def opensearch_url() -> str:
    url = os.environ.get("OKTALOGGER_TEST_OPENSEARCH_URL")
    if not url:
        pytest.skip("OKTALOGGER_TEST_OPENSEARCH_URL names no OpenSearch")
    return url
