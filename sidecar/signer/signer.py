"""A request to an answer. The order is the point: check, count, write down, and only then sign."""

from __future__ import annotations

import json
from typing import Any

from sidecar.clock import Clock
from sidecar.document import shown
from sidecar.errors import LedgerError, WalletError
from sidecar.refusal import Denied
from sidecar.signer.books import Books, Entry
from sidecar.signer.journal import Record
from sidecar.signer.requests import (
    Admission,
    WhichNonces,
    WhoAreYou,
    digest_of,
    order_of,
    read_request,
)
from sidecar.signer.rules import Rules
from sidecar.siwx import SignInMessage
from sidecar.wallets.evm import EvmWallet
from sidecar.wallets.keys import Wallet
from sidecar.wallets.remote import JOURNAL, account_of
from sidecar.x402.types import Authorization

DETAIL_CHARS_MAX = 300


class Signer:
    """One key under its rules. Asked by one thread only: its answers have one order."""

    __slots__ = ("_account", "_books", "_clock", "_journal", "_rules", "_wallet")

    def __init__(
        self, rules: Rules, wallet: Wallet, books: Books, journal: Record, clock: Clock
    ) -> None:
        self._rules = rules
        self._wallet = wallet
        self._account = account_of(rules.kind, wallet.address, {})
        self._books = books
        self._journal = journal
        self._clock = clock

    def answer(self, data: bytes) -> bytes:
        """What is said to this request: a result, or the rule that refused and why."""
        match self._result(data):
            case Denied(rule, detail):
                # It may hold what was asked, which is as long as a frame.
                why = shown(detail, DETAIL_CHARS_MAX)
                said: dict[str, Any] = {"refused": {"rule": rule, "detail": why}}
            case result:
                said = {"result": result}
        return json.dumps(said).encode()

    def _result(self, data: bytes) -> str | dict[str, Any] | Denied:
        try:
            request = read_request(data)
        except ValueError as fault:
            return Denied("request", str(fault))
        try:
            match request:
                case WhoAreYou():
                    return {"kind": self._rules.kind, "address": self._wallet.address}
                case WhichNonces():
                    return self._nonces()
                case SignInMessage():
                    return self._sign_in(request)
                case Admission(authorization):
                    return self._refusal(authorization) or {}
                case Authorization():
                    return self._refusal(request) or self._wallet.sign(request)
        except WalletError as fault:
            return Denied("wallet", fault.diagnostics())
        except LedgerError as fault:
            return Denied(JOURNAL, fault.diagnostics())

    def _nonces(self) -> str | Denied:
        if not isinstance(self._wallet, EvmWallet):
            return Denied("request", "the payments of this kind of key have no nonces")
        return self._wallet.nonce_secret().reveal()

    def _sign_in(self, message: SignInMessage) -> str | Denied:
        if message.domain.lower() not in self._rules.sign_in_domains:
            return Denied("domain", f"this signer does not sign in at {message.domain}")
        return self._wallet.sign_in(message)

    def _refusal(self, authorization: Authorization) -> Denied | None:
        """Why this is not signed; None: it may be, and is written down and counted by now."""
        # First: what could not be signed must not use a window up.
        self._account.to_sign(authorization)
        order = order_of(authorization)
        denied = self._rules.refusal(order)
        if denied is not None:
            return denied
        digest = digest_of(authorization)
        known = self._books.digest(authorization.network, authorization.identity)
        # The same again is the same bytes: no new power, so neither counted nor timed. An
        # expired one is presented to be served what it has paid for.
        if known == digest:
            return None
        if known is not None:
            return Denied("identity", "another authorization was signed under this identity")
        at = self._clock.now()
        denied = self._rules.refuse_validity(order, at) or self._books.refusal(order.amount, at)
        if denied is not None:
            return denied
        entry = Entry(at, order.network, authorization.identity, digest, order.amount)
        self._journal.append(entry)
        self._books.add(entry)
        return None
