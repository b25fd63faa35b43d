"""Defines the errors of talking to OpenSearch, sorted by what the user has to do about them."""

from __future__ import annotations

from typing import ClassVar

from oktalogger.text import printable


class OpenSearchLoadError(Exception):
    """Base of every error about OpenSearch. The message says what failed, why, and what to do.

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
    """The settings of the connection are wrong."""


class OpenSearchUnavailableError(OpenSearchLoadError):
    """No answer, or one that says "not now": connection, time-out, 429, 5xx.

    :param outcome_unknown: whether OpenSearch may have carried out the request
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
    """The server refuses the login: 401, or a signature that AWS refuses."""


class OpenSearchPermissionError(OpenSearchLoadError):
    """The server accepts the login and denies the request: 403.

    :param user: the user name that the server names, if it does
    :param backend_roles: the backend roles that the server sees, on AWS the ARN of the IAM role
    :param permissions: the permissions that the request needs
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
    """The server understood the request and refuses it: 400, 404, 405, 413."""


class OpenSearchResponseError(OpenSearchLoadError):
    """The answer is not OpenSearch's: a proxy's page, or JSON of another shape."""


class IndexConflictError(OpenSearchLoadError):
    """A foreign object has the name, the alias or the indices that oktalogger needs."""


class IndexMissingError(OpenSearchLoadError):
    """The index is gone, or was never made. The next run makes it again before it loads."""

    retryable = True


class IndexBlockedError(OpenSearchLoadError):
    """The index or the cluster refuses writes: disk full, read-only, or closed by somebody."""

    retryable = True


class RejectionNotStoredError(OpenSearchLoadError):
    """The index of rejected events refused an event. The load stops, because no event may be lost."""


class SetupDocumentsError(OpenSearchLoadError, ValueError):
    """The setup cannot apply the given roles and role mappings."""


class SetupConflictError(OpenSearchLoadError):
    """A role or a retention policy that oktalogger did not make has a name that oktalogger needs."""


class CollectionTypeError(OpenSearchLoadError):
    """A collection of Amazon OpenSearch Serverless refuses document ids, so events could be doubled."""


class RetentionRefusedError(OpenSearchLoadError):
    """The retention that was asked for would delete months at once, and nobody confirmed that."""
