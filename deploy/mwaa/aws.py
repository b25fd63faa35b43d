"""Makes clients of AWS, and explains its refusals."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

# Permissions with another name than the operation.
_PERMISSIONS: Final = {"ListObjectsV2": "s3:ListBucket", "HeadObject": "s3:GetObject"}
_LOGIN_CODES: Final = {"ExpiredToken", "ExpiredTokenException", "InvalidClientTokenId", "UnrecognizedClientException"}


class MwaaError(Exception):
    """The command cannot be done; the message says why, and what to do."""


def client(service: str, region: str | None = None) -> Any:
    """Return a client of AWS, with the credentials that boto3 finds.

    :param service: ``mwaa`` or ``s3``
    :param region: the environment's region; by default that of the profile or of ``AWS_REGION``
    :raises MwaaError: if no region is known
    """
    import boto3
    from botocore.config import Config

    with aws_errors(f"reach {service}"):
        # Standard mode retries throttled and lost requests.
        return boto3.Session().client(service, region_name=region, config=Config(retries={"mode": "standard"}))


@contextmanager
def aws_errors(doing: str) -> Iterator[None]:
    """Turn errors of AWS into sentences.

    :param doing: the attempt, as an infinitive
    :raises MwaaError: in place of any error of botocore
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
