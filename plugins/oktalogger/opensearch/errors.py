"""What can go wrong between oktalogger and OpenSearch, by what the user has to do about it."""

from __future__ import annotations

from typing import ClassVar

from oktalogger.text import printable


class OpenSearchLoadError(Exception):
    """Anything that went wrong with OpenSearch. The message says where, why, and what to do.

    :param message: whole sentences for the log
    :param status: the HTTP status, of the response or of one item in a bulk response
    :param error_type: OpenSearch's own name of the error, as ``mapper_parsing_exception``
    :param reason: OpenSearch's own words
    :param index: the index or alias concerned
    """

    retryable: ClassVar[bool] = False
    """Whether the same call can succeed later without anybody doing anything."""

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        error_type: str | None = None,
        reason: str | None = None,
        index: str | None = None,
    ) -> None:
        super().__init__(printable(message))  # it has words of a server in it
        self.status = status
        self.error_type = error_type
        self.reason = reason
        self.index = index


class OpenSearchSettingsError(OpenSearchLoadError, ValueError):
    """The settings of the connection cannot work, whatever the server says."""


class OpenSearchUnavailableError(OpenSearchLoadError):
    """No answer, or one that says "not now": connection, time-out, 429, 5xx.

    :param outcome_unknown: whether the request may have been carried out all the same
    """

    retryable = True

    def __init__(
        self,
        message: str,
        *,
        outcome_unknown: bool = False,
        status: int | None = None,
        error_type: str | None = None,
        reason: str | None = None,
        index: str | None = None,
    ) -> None:
        super().__init__(message, status=status, error_type=error_type, reason=reason, index=index)
        self.outcome_unknown = outcome_unknown


class OpenSearchTlsError(OpenSearchLoadError):
    """The server's certificate is not trusted, or the two sides do not speak TLS with each other."""


class OpenSearchAuthenticationError(OpenSearchLoadError):
    """The server does not know who we are: 401, or a signature that AWS refuses."""


class OpenSearchPermissionError(OpenSearchLoadError):
    """The server knows who we are and forbids it: 403.

    :param user: the name that the server knows us by, where it says so
    :param backend_roles: the backend roles that the server sees, on AWS the ARN of the IAM role
    :param permissions: what the request would have needed
    """

    def __init__(
        self,
        message: str,
        *,
        user: str | None = None,
        backend_roles: tuple[str, ...] = (),
        permissions: tuple[str, ...] = (),
        status: int | None = None,
        error_type: str | None = None,
        reason: str | None = None,
        index: str | None = None,
    ) -> None:
        super().__init__(message, status=status, error_type=error_type, reason=reason, index=index)
        self.user = user
        self.backend_roles = backend_roles
        self.permissions = permissions


class OpenSearchRequestError(OpenSearchLoadError):
    """The server understood the request and will not have it: 400, 404, 405, 413."""


class OpenSearchResponseError(OpenSearchLoadError):
    """The answer is not OpenSearch's: a proxy's page, or JSON of another shape."""


class IndexConflictError(OpenSearchLoadError):
    """Something that is not oktalogger's has the name, the alias or the indices that oktalogger needs."""


class IndexMissingError(OpenSearchLoadError):
    """The index is gone, or was never made. The next run makes it again before it loads."""

    retryable = True


class IndexBlockedError(OpenSearchLoadError):
    """The index or the cluster takes no writes: disk full, read-only, or closed for writes by somebody."""

    retryable = True


class RejectionNotStoredError(OpenSearchLoadError):
    """The index of rejected events refused one: nothing may be dropped, so the load has to stop."""


class SetupDocumentsError(OpenSearchLoadError, ValueError):
    """The roles and role mappings that the setup was given cannot be applied as they are."""


class SetupConflictError(OpenSearchLoadError):
    """A role or a retention policy that oktalogger did not make has a name that oktalogger needs."""


class CollectionTypeError(OpenSearchLoadError):
    """A collection of Amazon OpenSearch Serverless takes no ids, so that nothing could be stored only once."""


class RetentionRefusedError(OpenSearchLoadError):
    """The retention that was asked for would delete months at once, and nobody confirmed that."""
