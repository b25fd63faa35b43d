"""Which errors leave a task to Airflow's retries, and which fail it at once."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from oktalogger.compat import AirflowFailException
from oktalogger.hooks.extras import ConnectionSettingsError
from oktalogger.okta.errors import OktaError
from oktalogger.opensearch.errors import OpenSearchLoadError
from oktalogger.opensearch.names import IndexPrefixError
from oktalogger.resources import ResourceError
from oktalogger.settings import SettingsError
from oktalogger.window import WindowError

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def failing_at_once(*errors: type[Exception]) -> Iterator[None]:
    """Let what no retry can mend fail the task at once.

    :param errors: of which kinds no retry can mend any, beyond connections, settings, index names and windows that
        cannot be used, files that are missing, and what Okta and OpenSearch refuse for good
    :raises AirflowFailException: in its place
    """
    hopeless: tuple[type[Exception], ...] = (
        ConnectionSettingsError,
        IndexPrefixError,
        ResourceError,
        SettingsError,
        WindowError,
        *errors,
    )
    try:
        yield
    except hopeless as error:
        raise AirflowFailException(str(error)) from error
    except (OktaError, OpenSearchLoadError) as error:
        if error.retryable:
            raise
        raise AirflowFailException(str(error)) from error
