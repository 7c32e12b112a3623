"""Which headers cross, in each direction."""

from __future__ import annotations

import pytest

from sidecar.http import header_values
from sidecar.proxy.headers import request_headers, response_headers

OURS = (("Authorization", "Bearer ours"),)


@pytest.mark.parametrize(
    "name",
    [
        "Authorization",
        "X-Api-Key",
        "api-key",
        "Cookie",
        "Host",
        "Content-Length",
        "Transfer-Encoding",
        "TE",
        "Trailer",
        "Upgrade",
        "Connection",
        "Keep-Alive",
        "Expect",
        "Proxy-Authorization",
        "Proxy-Anything",
        "X-Forwarded-For",
        "x_forwarded_for",
        "Forwarded",
        "PAYMENT-SIGNATURE",
        "Payment_Signature",
        "X-PAYMENT",
        "x_payment",
        "X-402-Payment",
        "SIGN-IN-WITH-X",
        "X-Sign-In-With-X",
        "x-wallet-address",
        "agentkit",
        "OpenAI-Organization",
        "OpenAI-Project",
        "Sec-Fetch-Mode",
        "x-sidecar-budget",
    ],
)
def test_dropped(name: str) -> None:
    """The app's credentials, payments and hop-by-hop headers stop at the sidecar."""
    assert () == header_values(request_headers(((name, "theirs"),), ()), name)


def test_listed_in_connection() -> None:
    """What Connection lists is dropped before our own headers are set."""
    headers = (("Connection", "close, X-Secret, authorization"), ("X-Secret", "1"))

    assert OURS == request_headers(headers, OURS)


def test_keep_alive() -> None:
    """What a connection says of itself drops itself alone."""
    headers = (("Connection", "keep-alive"), ("Keep-Alive", "timeout=5"), ("X-A", "1"))

    assert (("X-A", "1"), *OURS) == request_headers(headers, OURS)


def test_kept() -> None:
    """Everything else crosses as it is, in its order and its spelling."""
    headers = (("User-Agent", "OpenAI/Python"), ("Idempotency-Key", "k"), ("Accept", "*/*"))

    assert headers + OURS == request_headers(headers, OURS)


@pytest.mark.parametrize(
    ("offered", "expected"),
    [
        ("gzip, deflate, br, zstd", ("gzip, deflate",)),
        ("br", ("identity",)),
        ("gzip;q=0.5", ("gzip;q=0.5",)),
        ("", ()),
    ],
)
def test_accept_encoding(offered: str, expected: tuple[str, ...]) -> None:
    """The upstream is offered only codings in which a 402 can be read."""
    headers = request_headers((("Accept-Encoding", offered),), ())

    assert expected == header_values(headers, "accept-encoding")


@pytest.mark.parametrize(
    "name",
    ["PAYMENT-REQUIRED", "X-PAYMENT", "Set-Cookie", "Connection", "SIGN-IN-WITH-X"],
)
def test_response_dropped(name: str) -> None:
    """No challenge, cookie or hop-by-hop header reaches the app."""
    assert () == response_headers(((name, "x"),), ())


@pytest.mark.parametrize("value", ["X-Payment", 'Basic realm="x", x-payment'])
def test_challenge_to_pay_alone(value: str) -> None:
    """WWW-Authenticate that asks for payment is dropped, though no other header is; others pass."""
    known = (("WWW-Authenticate", "Bearer"), ("X-A", "a"))

    assert (("X-A", "a"),) == response_headers((("WWW-Authenticate", value), ("X-A", "a")), ())
    assert known == response_headers(known, ())


def test_receipt_reaches_the_app() -> None:
    """The receipt is no secret."""
    receipt = ("PAYMENT-RESPONSE", "e30=")

    assert (receipt, ("x-added", "1")) == response_headers((receipt,), (), ("x-added", "1"))


def test_echoed_secret() -> None:
    """A header in which the provider echoes a secret of ours is dropped."""
    headers = (("X-Echo", "you sent sk-secret"), ("X-Other", "fine"))

    assert (("X-Other", "fine"),) == response_headers(headers, ("sk-secret",))


def test_oversized() -> None:
    """A header that would break the app's parser is dropped; the answer is not."""
    headers = (("X-Big", "x" * 40_000), ("X-Other", "fine"))

    assert (("X-Other", "fine"),) == response_headers(headers, ())
