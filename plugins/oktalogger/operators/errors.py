"""Decides which errors Airflow retries, and which fail the task at once."""

from __future__ import annotations

from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from oktalogger.compat import AirflowFailException, AirflowTaskTimeout
from oktalogger.hooks.extras import ConnectionSettingsError
from oktalogger.okta.errors import OktaError
from oktalogger.opensearch.errors import OpenSearchLoadError
from oktalogger.opensearch.names import IndexPrefixError
from oktalogger.pipeline.archive.errors import ArchiveError
from oktalogger.pipeline.live import FEWEST_TRIES
from oktalogger.pipeline.stop import LoadStoppedError
from oktalogger.privacy.replacements import RedactionKeyError
from oktalogger.resources import ResourceError
from oktalogger.settings import SettingsError
from oktalogger.window import WindowError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from oktalogger.window import Window


@contextmanager
def failing_at_once(*errors: type[Exception]) -> Iterator[None]:
    """Fail the task at once on an error that no retry can mend.

    :param errors: further kinds of such errors. Always among them are unusable connections, settings, index names and
        windows, missing files, and what Okta, OpenSearch and the archive refuse for good
    :raises AirflowFailException: in its place
    """
    hopeless: tuple[type[Exception], ...] = (
        ConnectionSettingsError,
        IndexPrefixError,
        RedactionKeyError,
        ResourceError,
        SettingsError,
        WindowError,
        *errors,
    )
    try:
        yield
    except hopeless as error:
        raise AirflowFailException(str(error)) from error
    except (OktaError, OpenSearchLoadError, ArchiveError) as error:
        if error.retryable:
            raise
        raise AirflowFailException(str(error)) from error


@contextmanager
def giving_up(window: Window, last: datetime | None, *, tries: int) -> Iterator[None]:
    """Let a load that fails for too long fail for good, whatever the error, and leave its window to reconcile.

    A run that waits for its next try is one that Airflow counts as under way, so windows that nothing can load would
    use up their number, and no later window would be begun.

    :param window: what is loaded
    :param last: until when a failure is left to the task's retries; None leaves all of them
    :param tries: which try this is, counted from one
    :raises AirflowFailException: in place of the error
    """
    try:
        yield
    except (AirflowFailException, LoadStoppedError):  # fails for good anyway; ended by somebody, and not by the load
        raise
    except (Exception, AirflowTaskTimeout) as error:
        if last is None or tries < FEWEST_TRIES or datetime.now(UTC) < last:
            raise
        said = str(error) or type(error).__name__
        raise AirflowFailException(
            f"{said} This was try {tries} of the window {window}, and the last: it must not hold up "
            "the windows after it. Nothing is lost. okta_system_log_reconcile finds the gap within an hour, goes on "
            "trying, and says so; but whatever has failed has to be mended."
        ) from error
