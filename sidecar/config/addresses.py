"""Where the sidecar listens, as values."""

from __future__ import annotations

import re
from ipaddress import ip_address
from pathlib import Path

from sidecar.values import dataclass

_HERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - left for what can be called
_ADDRESS = re.compile(r"(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9.-]+):([0-9]{1,5})", re.ASCII)


@dataclass(frozen=True, slots=True)
class Address:
    """A host and port to listen on. Port 0 lets the system choose."""

    host: str
    port: int

    def __post_init__(self) -> None:
        if not 0 <= self.port <= 65535:
            raise ValueError(f"not a port: {self.port}; use 0 to 65535")

    @classmethod
    def parse(cls, text: str) -> Address:
        """Read ``127.0.0.1:8402`` or ``[::1]:8402``. ValueError says what it wants."""
        match = _ADDRESS.fullmatch(text)
        if match is None:
            raise ValueError(f'not an address: {text!r}; write it like "127.0.0.1:8402"')
        return cls(match[1].strip("[]"), int(match[2]))

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can reach it."""
        return is_loopback(self.host)

    @property
    def callable(self) -> Address:
        """Where it can be called from this machine: one that means everywhere is also here."""
        return Address(_HERE.get(self.host, self.host), self.port)

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class SocketPath:
    """A Unix socket to listen on."""

    path: Path

    def __str__(self) -> str:
        return f"unix:{self.path}"


LISTEN = Address("127.0.0.1", 8402)
ADMIN = Address("127.0.0.1", 9402)


def is_loopback(host: str) -> bool:
    """Whether a host, as it stands in a URL, can only be this machine."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        # A name may resolve to anything, and to something else tomorrow.
        return False
