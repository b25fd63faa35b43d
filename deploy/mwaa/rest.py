"""Calls Airflow's REST API in an environment, through AWS, with IAM credentials and without a token."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol

from deploy.mwaa.aws import MwaaError, aws_errors

if TYPE_CHECKING:
    from collections.abc import Mapping

LONGEST_PATH: Final = 64
"""Longest path, in characters, that ``InvokeRestApi`` accepts (its API reference)."""
SECONDS: Final = 10
"""Seconds after which ``InvokeRestApi`` gives up (user guide, Using the Apache Airflow REST API)."""


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer of Airflow.

    :param status: the HTTP status, below 500
    :param body: its JSON
    """

    status: int
    body: Any

    @property
    def ok(self) -> bool:
        """Whether the request succeeded."""
        return self.status < 400

    @property
    def reason(self) -> str:
        """Airflow's reason for a refusal."""
        detail = self.body.get("detail", self.body) if isinstance(self.body, dict) else self.body
        return f"{self.status} {detail}"


class RestApi(Protocol):
    """Airflow's REST API, of either line."""

    def ask(self, method: str, path: str, body: Any = None, query: Mapping[str, Any] | None = None) -> Answer:
        """Ask it something.

        :param method: ``GET``, ``POST`` or ``PATCH``
        :param path: below ``/api/v1`` or ``/api/v2``
        :param body: sent as JSON
        :param query: parameters of the address
        """


class MwaaRestApi:
    """The REST API of an environment.

    :param mwaa: a client
    :param environment: the environment's name
    """

    def __init__(self, mwaa: Any, environment: str) -> None:
        self._mwaa = mwaa
        self._environment = environment

    def ask(self, method: str, path: str, body: Any = None, query: Mapping[str, Any] | None = None) -> Answer:
        """Ask it something.

        :raises MwaaError: if AWS refuses, Airflow fails, or the path is too long for AWS
        """
        from botocore.exceptions import ClientError

        if len(path) > LONGEST_PATH:
            raise MwaaError(
                f"AWS passes no path of over {LONGEST_PATH} characters on to Airflow, and {path} has {len(path)}. "
                "Use Airflow's web page."
            )
        request: dict[str, Any] = {"Name": self._environment, "Method": method, "Path": path}
        if body is not None:
            request["Body"] = body
        if query:
            request["QueryParameters"] = dict(query)
        with aws_errors(f"ask Airflow in {self._environment} ({method} {path})"):
            try:
                found = self._mwaa.invoke_rest_api(**request)
            except ClientError as error:
                code = error.response["Error"]["Code"]
                status, said = error.response.get("RestApiStatusCode", 0), error.response.get("RestApiResponse")
                if code == "RestApiClientException" and status:
                    return Answer(status, said)
                if code == "RestApiServerException":
                    raise MwaaError(
                        f"Airflow in {self._environment} fails at {method} {path}: {status} {said}. AWS waits "
                        f"{SECONDS} seconds for it. Try again, and look at the log group "
                        f"airflow-{self._environment}-WebServer."
                    ) from error
                raise
        return Answer(found.get("RestApiStatusCode", 200), found.get("RestApiResponse"))
