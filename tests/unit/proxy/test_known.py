"""What a handler reads of a head that the lane knows: once, and only what is true of the next."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from sidecar.providers.base import Credential
from sidecar.proxy.calls import Asked
from sidecar.proxy.known import read_head
from sidecar.proxy.outgoing import BegunHead

OURS = Credential((("Authorization", "Bearer ours"),))
START = b"POST /r/x HTTP/1.1\r\nHost: here\r\nX-Key: app's\r\nContent-Length: "


def asked(passed: tuple[bytes, ...] = (b"",)) -> Asked:
    """What a head asks for that is known by its first call."""
    route = SimpleNamespace(reads_bodies=False, budgets_with=lambda others: others)
    caller = SimpleNamespace(budgets=())
    call = SimpleNamespace(method="POST", url="http://there/x", route=route, caller=caller)
    return Asked(cast(Any, call), cast(Any, None), passed, cast(Any, None))


def test_read() -> None:
    """It is the app's headers but for their length, and how they go out with the credential."""
    known = read_head(START + b"2\r\n\r\n{}", asked(), OURS)

    assert (("Host", "here"), ("X-Key", "app's")) == known.headers
    assert (("X-Key", "app's"), ("Authorization", "Bearer ours")) == known.outgoing
    assert known.begun == BegunHead.of("POST", "http://there/x", known.outgoing)
    assert ("ours",) == known.secrets
    assert "http://there/x" == known.url


def test_read_once() -> None:
    """Of a head that differs in its length alone nothing is read again."""
    one = asked()

    known = read_head(START + b"2\r\n\r\n{}", one, OURS)
    assert known is read_head(START + b"3\r\n\r\n{ }", one, OURS)


def test_another_credential() -> None:
    """With another credential it goes out with that, and with nothing of the one before."""
    one = asked()
    read_head(START + b"2\r\n\r\n{}", one, OURS)
    new = Credential((("Authorization", "Bearer new"),))
    known = read_head(START + b"2\r\n\r\n{}", one, new)

    assert (("X-Key", "app's"), ("Authorization", "Bearer new")) == known.outgoing
    assert ("new",) == known.secrets


@pytest.mark.parametrize("name", ["X-Trace", "Idempotency-Key"])
def test_varying(name: str) -> None:
    """A head whose lines vary is read anew: its own are what is sent and what counts."""
    one = asked((b"", b""))
    for value in ("1", "2"):
        head = START + b"2\r\n" + f"{name}: {value}\r\n\r\n{{}}".encode()

        known = read_head(head, one, OURS)
        assert (name, value) == known.headers[-1]
        assert (name, value) in known.outgoing
