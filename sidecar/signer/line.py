"""The proxy's end of the socket: one connection, one question, one answer.

It blocks, because ``PaymentSigner.sign`` does: a signature is as short as a write to the disk.
Two seconds are its limit, after which the answer is a fault, and the signature, if it was made,
is made again for whoever asks again.
"""

from __future__ import annotations

import json
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sidecar.clock import Clock
from sidecar.document import read_json, shown
from sidecar.errors import RemoteProtocolError, WalletError
from sidecar.signer.frame import BYTES_MAX, framed, read_framed

ANSWER_WAIT_S = 2.0
REASON_CHARS_MAX = 300


class UnixLine:
    """See ``wallets.remote.SignerLine``."""

    __slots__ = ("_clock", "_path", "_wait_s")

    def __init__(self, path: Path, clock: Clock, wait_s: float = ANSWER_WAIT_S) -> None:
        self._path = path
        self._clock = clock
        self._wait_s = wait_s

    def ask(self, question: Mapping[str, Any]) -> Any:
        """See ``SignerLine``: every fault of the socket is a WalletError."""
        data = json.dumps(question).encode()
        if len(data) > BYTES_MAX:
            raise WalletError("more than a signer reads")
        try:
            answer = read_json(self._exchange(data))
        except RemoteProtocolError as fault:
            raise WalletError(f"the signer answers nonsense: {fault.diagnostics()}") from fault
        except OSError as fault:
            reason = (fault.strerror or str(fault)).lower()
            raise WalletError(f"the signer at {self._path} does not answer: {reason}") from fault
        except ValueError as fault:
            raise WalletError("the signer answers nonsense: it is not JSON") from fault
        match answer:
            case {"result": result}:
                return result
            case {"refused": {"rule": str(rule), "detail": str(detail)}}:
                why = shown(f"{rule}: {detail}", REASON_CHARS_MAX)
                raise WalletError(f"the signer refuses ({why})")
            case _:
                raise WalletError("the signer answers nonsense: neither a result nor a refusal")

    def _exchange(self, data: bytes) -> bytes:
        until_s = self._clock.monotonic_s() + self._wait_s
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            # Each step has the whole limit at most; the reading ends by it in any case.
            connection.settimeout(self._wait_s)
            connection.connect(str(self._path))
            connection.sendall(framed(data))
            return read_framed(connection, self._clock, until_s)
