"""Why an address cannot be listened on."""

from __future__ import annotations

import errno
import os

import pytest

from sidecar.config.addresses import Address
from sidecar.service.portholder import why_not

HERE = Address("127.0.0.1", 1)


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (
            errno.EADDRINUSE,
            "127.0.0.1:1 is taken by another program; stop what holds it, or choose another "
            "address",
        ),
        (errno.EACCES, "127.0.0.1:1 is not for this user; choose a port from 1024 on"),
        (
            errno.EADDRNOTAVAIL,
            "127.0.0.1:1 is no address of this machine; choose one, such as 127.0.0.1",
        ),
        (
            errno.EAFNOSUPPORT,
            "127.0.0.1:1 cannot be listened on: address family not supported by protocol; choose "
            "another address",
        ),
    ],
)
def test_reasons(number: int, said: str) -> None:
    """Each reason that the system gives has a fix of its own, and any other is repeated."""
    assert said == why_not(HERE, OSError(number, os.strerror(number)))


def test_no_reason() -> None:
    """A fault without words is one all the same."""
    fault = OSError()

    assert "127.0.0.1:1 cannot be listened on: unusable; choose another address" == why_not(
        HERE, fault
    )
