"""Opens the archive with the credentials of an Airflow connection, or of the worker."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from oktalogger.hooks.extras import ConnectionSettingsError

if TYPE_CHECKING:
    from collections.abc import Callable

    from oktalogger.pipeline.archive.place import ArchiveStore
    from oktalogger.settings import Settings


def archive_of(settings: Settings, *, sleep: Callable[[float], None] = time.sleep) -> ArchiveStore | None:
    """Return the archive that ``OKTALOGGER_ARCHIVE`` names; None if it names none.

    :param settings: of the deployment
    :param sleep: waits that many seconds; operators give a wait that ends when the task is killed
    :raises ConnectionSettingsError: if the Amazon provider is missing, which a bucket needs
    """
    if settings.archive is None:
        return None
    from oktalogger.pipeline.archive.place import open_archive

    return open_archive(settings.archive, lambda: _s3_client(settings.archive_conn_id), sleep=sleep)


def _s3_client(conn_id: str | None) -> Any:
    from oktalogger.pipeline.archive.s3 import s3_config

    try:
        from airflow.providers.amazon.aws.hooks.base_aws import AwsGenericHook
    except ImportError as error:
        raise ConnectionSettingsError(
            f"OKTALOGGER_ARCHIVE names a bucket, which needs apache-airflow-providers-amazon: {error}."
        ) from error
    # Without a connection: the role of the worker, as boto3 finds it.
    hook: AwsGenericHook[Any] = AwsGenericHook(aws_conn_id=conn_id, client_type="s3", config=s3_config())
    return hook.get_conn()
