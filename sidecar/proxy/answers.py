"""What the sidecar itself says to an app, in the shape that the app's SDK reads.

OpenAI-shaped, and Anthropic-shaped under /v1/messages. ``x-should-retry`` is what the stock SDKs
obey: a refusal that no retry mends says false, so that it is not hammered.
"""

from __future__ import annotations

import json

from sidecar.http import Header, Headers
from sidecar.values import dataclass


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer of our own: ``decision``, ``rule`` and ``message`` also go to the log."""

    status: int
    code: str
    message: str
    retry: bool | None = None  # None: let the SDK decide
    retry_after_s: float | None = None
    payment_id: str = ""
    decision: str = "refused"
    rule: str = ""
    details: tuple[tuple[str, str], ...] = ()
    closes: bool = False  # the connection is not to be used again

    def headers(self) -> Headers:
        """The headers beside the body."""
        headers: list[Header] = [("Content-Type", "application/json")]
        if self.retry is not None:
            headers.append(("x-should-retry", "true" if self.retry else "false"))
        if self.retry_after_s is not None:
            headers.append(("Retry-After", str(max(1, round(self.retry_after_s)))))
        if self.payment_id:
            headers.append(("x-sidecar-payment-id", self.payment_id))
        return tuple(headers)

    def body(self, path: str) -> bytes:
        """The error, shaped for the API that this path belongs to."""
        error: dict[str, object] = {"message": self.message}
        if "/v1/messages" in path:
            error = {"type": _ANTHROPIC_TYPES.get(self.status, "api_error"), **error}
            error |= self._extras()
            return json.dumps({"type": "error", "error": error}).encode()
        error |= {"type": _openai_type(self.status), "code": self.code, "param": None}
        error |= self._extras()
        return json.dumps({"error": error}).encode()

    def _extras(self) -> dict[str, object]:
        extras: dict[str, object] = dict(self.details)
        if self.payment_id:
            extras["payment_id"] = self.payment_id
        return extras


_ANTHROPIC_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    409: "invalid_request_error",
    413: "request_too_large",
    429: "rate_limit_error",
    503: "overloaded_error",
}


def _openai_type(status: int) -> str:
    if status == 402:
        return "insufficient_quota"
    if status == 401:
        return "authentication_error"
    return "server_error" if status >= 500 else "invalid_request_error"


def no_route(prefixes: str) -> Answer:
    """Nothing is served at this path."""
    message = f"no route for this path; the routes are: {prefixes}"
    return Answer(404, "sidecar_route", message, retry=False, rule="route")


def no_room() -> Answer:
    """Its body cannot be kept."""
    return busy("the memory for request bodies is used up")


def busy(message: str) -> Answer:
    """A limit of ours is met; later there may be room."""
    return Answer(503, "sidecar_busy", message, retry=True, retry_after_s=1, rule="busy")
