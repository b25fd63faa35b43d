"""Okta's error envelope. Codes and texts are those of developer.okta.com, "System Log query" and "Error codes"."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

import msgspec
from starlette.responses import Response

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class ApiError(Exception):
    """An answer other than 200.

    :param causes: texts of ``errorCauses``; ``None`` leaves the key out, as Okta does for some errors
    """

    def __init__(
        self,
        status: int,
        code: str,
        summary: str,
        causes: Sequence[str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(summary)
        self.status = status
        self.code = code
        self.summary = summary
        self.causes = causes
        self.headers = dict(headers or {})

    def response(self) -> Response:
        """The answer as Okta words it."""
        body: dict[str, object] = {"errorCode": self.code, "errorSummary": self.summary}
        body["errorId"] = str(uuid.uuid4())
        if self.causes is not None:
            body["errorCauses"] = [{"errorSummary": cause} for cause in self.causes]
        return Response(msgspec.json.encode(body), self.status, self.headers, "application/json")


def invalid(parameter: str, *causes: str) -> ApiError:
    """A parameter that does not hold: 400 E0000001."""
    texts = " ".join(f"'{parameter}': {cause}" for cause in causes)
    return ApiError(400, "E0000001", f"Api validation failed: {texts}", [f"{parameter}: {cause}" for cause in causes])


def bad_request(summary: str) -> ApiError:
    """A query that the System Log refuses: 400 E0000053."""
    return ApiError(400, "E0000053", summary)


def unsupported(operator: str, field: str) -> ApiError:
    """An operator that a field does not take: 400 E0000031."""
    return ApiError(
        400,
        "E0000031",
        "The supplied combination of operator and field is not currently supported. "
        f"Operator: {operator}, Field: {field}",
    )


TIMEOUT = (
    "Your last request took too long to complete. This is likely due to a load issue on our side. We've logged this "
    "and will work to address it. Please either simplify your query or wait a few minutes and try again."
)
INTERNAL = (
    "Sorry, there's been an error. We aren't sure what caused it, but we've logged this and will work to address it. "
    "Please try your request again."
)
REFUSED_LOGIN = "Invalid token provided"
DENIED = "You do not have permission to perform the requested action"
NOT_FOUND = "Not found: Resource not found: logs (Endpoint)"
TOO_MANY = "API call exceeded rate limit due to too many requests."
