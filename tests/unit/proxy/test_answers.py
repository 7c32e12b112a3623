"""What the sidecar itself says."""

from __future__ import annotations

import json

import pytest

from sidecar.proxy.answers import Answer

BUDGET = Answer(
    402,
    "sidecar_budget",
    "no more",
    retry=False,
    payment_id="pay_1",
    details=(("budget", "day"),),
)


def test_openai_shape() -> None:
    """OpenAI's SDKs read error.message, type, code and param."""
    error = json.loads(BUDGET.body("/v1/chat/completions"))["error"]

    assert {
        "message": "no more",
        "type": "insufficient_quota",
        "code": "sidecar_budget",
        "param": None,
        "budget": "day",
        "payment_id": "pay_1",
    } == error


def test_anthropic_shape() -> None:
    """Under /v1/messages the error has Anthropic's shape, with or without a route prefix."""
    for path in ("/v1/messages", "/route/v1/messages/count_tokens"):
        document = json.loads(BUDGET.body(path))

        assert "error" == document["type"]
        assert ("billing_error", "no more") == (
            document["error"]["type"],
            document["error"]["message"],
        )


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, "invalid_request_error"),
        (401, "authentication_error"),
        (402, "insufficient_quota"),
        (503, "server_error"),
    ],
)
def test_openai_types(status: int, kind: str) -> None:
    """The error's type follows the status."""
    error = json.loads(Answer(status, "c", "m").body("/"))["error"]

    assert kind == error["type"]


def test_unlisted_anthropic_status() -> None:
    """A status without an Anthropic type of its own is an api_error."""
    assert "api_error" == json.loads(Answer(502, "c", "m").body("/v1/messages"))["error"]["type"]


def test_headers() -> None:
    """The retry headers say what the SDK should do, in whole seconds."""
    headers = dict(
        Answer(503, "c", "m", retry=True, retry_after_s=0.2, payment_id="pay_1").headers()
    )

    assert {
        "Content-Type": "application/json",
        "x-should-retry": "true",
        "Retry-After": "1",
        "x-sidecar-payment-id": "pay_1",
    } == headers
    assert "false" == dict(BUDGET.headers())["x-should-retry"]
    assert {"Content-Type"} == dict(Answer(500, "c", "m").headers()).keys()
