"""The way to AWS: clients, and what its refusals mean."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

# Where the permission is not called like the operation.
_PERMISSIONS: Final = {"ListObjectsV2": "s3:ListBucket", "HeadObject": "s3:GetObject"}
_LOGIN_CODES: Final = {"ExpiredToken", "ExpiredTokenException", "InvalidClientTokenId", "UnrecognizedClientException"}


class MwaaError(Exception):
    """What was asked for cannot be done; the message says why and what to do."""


def client(service: str, region: str | None = None) -> Any:
    """Return a client of AWS, with the credentials that boto3 finds.

    :param service: ``mwaa`` or ``s3``
    :param region: of the environment; if not given, that of the profile or of ``AWS_REGION``
    :raises MwaaError: if no region is known
    """
    import boto3
    from botocore.config import Config

    with aws_errors(f"reach {service}"):
        # Standard mode repeats what AWS says may be repeated: throttling, and what never arrived.
        return boto3.Session().client(service, region_name=region, config=Config(retries={"mode": "standard"}))


@contextmanager
def aws_errors(doing: str) -> Iterator[None]:
    """Say what an error of AWS means.

    :param doing: what is tried, as an infinitive
    :raises MwaaError: instead of any error of botocore
    """
    from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError, NoRegionError

    try:
        yield
    except NoCredentialsError as error:
        raise MwaaError(
            f"Cannot {doing}: there are no AWS credentials. Log in (aws sso login), or set AWS_PROFILE."
        ) from error
    except NoRegionError as error:
        raise MwaaError(f"Cannot {doing}: no region is given. Set AWS_REGION, or give --region.") from error
    except ClientError as error:
        raise MwaaError(f"Cannot {doing}: {_meaning(error)}") from error
    except BotoCoreError as error:
        raise MwaaError(f"Cannot {doing}: {error}") from error


def _meaning(error: Any) -> str:
    code = error.response.get("Error", {}).get("Code", "")
    message = error.response.get("Error", {}).get("Message", "") or error.response.get("message", "")
    operation = error.operation_name
    said = f"{code}: {message}".rstrip(": ")
    if code in _LOGIN_CODES:
        return f"the AWS credentials are not valid any more ({said}). Log in again."
    if code in ("AccessDenied", "AccessDeniedException"):
        of_s3 = "Bucket" in operation or "Object" in operation
        permission = _PERMISSIONS.get(operation) or f"{'s3' if of_s3 else 'airflow'}:{operation}"
        return f"AWS refuses it ({said}). Whoever runs this needs the permission {permission}."
    return f"{said}."
