"""The proxy's end of the socket: one connection, one question, one answer.

What a payment needs is awaited: the signer writes to its disk before it admits one. What blocks
is asked at start and for a sign-in, which costs the signer no write; a signer that was silent
once is not waited for again for a while, so that a hung one holds nobody up.
"""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sidecar.clock import Clock
from sidecar.document import read_json, shown
from sidecar.errors import (
    ConfigError,
    RemoteProtocolError,
    SignerAwayError,
    SignerRefusedError,
    WalletError,
)
from sidecar.signer.frame import BYTES_MAX, CUT, HEAD_BYTES, framed, read_framed, size_in
from sidecar.wallets import WalletKind
from sidecar.wallets.remote import JOURNAL, RemoteWallet, remote_wallet

BLOCKING_WAIT_S = 0.5
SILENCE_S = 5.0
# With the turns of all who asked before.
ANSWER_WAIT_S = 5.0
REASON_CHARS_MAX = 300


class UnixLine:
    """See ``wallets.remote.SignerLine``."""

    __slots__ = ("_clock", "_path", "_silent_until_s", "_turn", "_wait_s")

    def __init__(self, path: Path, clock: Clock, wait_s: float = ANSWER_WAIT_S) -> None:
        self._path = path
        self._clock = clock
        self._wait_s = wait_s
        self._silent_until_s = clock.monotonic_s()
        # It serves one after the other anyway, and whoever blocks has one before it at most.
        self._turn = asyncio.Lock()

    def ask(self, question: Mapping[str, Any]) -> Any:
        """See ``SignerLine``: every fault of the socket is a WalletError."""
        data = _framed(question)
        if self._clock.monotonic_s() < self._silent_until_s:
            raise self._away("it was silent a moment ago")
        try:
            return self._result(self._exchange(data))
        except TimeoutError as fault:
            self._silent_until_s = self._clock.monotonic_s() + SILENCE_S
            raise self._away("it took too long") from fault
        except OSError as fault:
            raise self._away((fault.strerror or str(fault)).lower()) from fault
        except RemoteProtocolError as fault:
            raise WalletError(f"the signer answers nonsense: {fault.diagnostics()}") from fault

    async def answer(self, question: Mapping[str, Any]) -> Any:
        """See ``SignerLine``: every fault of the socket is a WalletError."""
        data = _framed(question)
        try:
            async with asyncio.timeout(self._wait_s), self._turn:
                answer = await self._conversation(data)
            return self._result(answer)
        except TimeoutError as fault:
            raise self._away("it took too long") from fault
        except OSError as fault:
            raise self._away((fault.strerror or str(fault)).lower()) from fault
        except EOFError as fault:
            raise self._away(CUT) from fault
        except RemoteProtocolError as fault:
            raise WalletError(f"the signer answers nonsense: {fault.diagnostics()}") from fault

    def _exchange(self, data: bytes) -> bytes:
        until_s = self._clock.monotonic_s() + BLOCKING_WAIT_S
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            # Each step has the whole limit at most; the reading ends by it in any case.
            connection.settimeout(BLOCKING_WAIT_S)
            connection.connect(str(self._path))
            connection.sendall(data)
            return read_framed(connection, self._clock, until_s)

    async def _conversation(self, data: bytes) -> bytes:
        reader, writer = await asyncio.open_unix_connection(str(self._path))
        try:
            writer.write(data)
            size = size_in(await reader.readexactly(HEAD_BYTES))
            return await reader.readexactly(size)
        finally:
            writer.close()

    def _result(self, data: bytes) -> Any:
        try:
            answer = read_json(data)
        except ValueError as fault:
            raise WalletError("the signer answers nonsense: it is not JSON") from fault
        match answer:
            case {"result": result}:
                return result
            case {"refused": {"rule": str(rule), "detail": str(detail)}} if rule == JOURNAL:
                raise self._away(shown(detail, REASON_CHARS_MAX))
            case {"refused": {"rule": str(rule), "detail": str(detail)}}:
                why = shown(f"{rule}: {detail}", REASON_CHARS_MAX)
                raise SignerRefusedError(f"the signer refuses ({why})")
            case _:
                raise WalletError("the signer answers nonsense: neither a result nor a refusal")

    def _away(self, reason: str) -> SignerAwayError:
        return SignerAwayError(f"the signer at {self._path} does not answer: {reason}")


def wallet_at(
    path: Path, name: str, kind: WalletKind, rpc_urls: Mapping[str, str], clock: Clock
) -> RemoteWallet:
    """The wallet whose key the signer at this socket keeps.

    ConfigError says what is wrong at ``name``, the key in the config, and what to do.
    """
    try:
        wallet = remote_wallet(UnixLine(path, clock), rpc_urls)
    except WalletError as fault:
        raise ConfigError(
            f"{name}: {fault.diagnostics()}; start it (sidecar signer --socket {path} "
            "--rules FILE), or name its socket"
        ) from fault
    if wallet.kind != kind:
        raise ConfigError(
            f"{name}: the signer at {path} keeps a key of kind {wallet.kind}; "
            f"write kind: {wallet.kind}"
        )
    return wallet


def _framed(question: Mapping[str, Any]) -> bytes:
    data = json.dumps(question).encode()
    if len(data) > BYTES_MAX:
        raise WalletError("more than a signer reads")
    return framed(data)
