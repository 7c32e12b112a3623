"""The desk where wallets sign in: the rules of one vendor, and the nonces it has seen.

chain      one that the vendor knows
domain     one of the vendor's names
time       not too old, not from the future, not expired
signature  by the address in the text
nonce      once for each wallet; it is used up as soon as the signature is good
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime, timedelta

from sidecar.clock import Clock
from sidecar.sandbox.vendors.siwx import SignInText, Unfit
from sidecar.sandbox.vendors.siwx_proof import complaint_about_time, is_signed
from sidecar.values import dataclass


@dataclass(frozen=True, slots=True)
class SignInRules:
    """What one vendor asks of a sign-in."""

    networks: frozenset[str]
    age_max_s: int
    ahead_max_s: int
    # For how long a nonce is remembered: longer than any text that has it can be good.
    nonce_kept_s: int
    nonce: re.Pattern[str] = re.compile(r"[A-Za-z0-9]{8,}", re.ASCII)
    base64_signatures: bool = False


class SignInDesk:
    """Judges sign-ins. `domains` is asked each time, as the port is known late."""

    def __init__(
        self, rules: SignInRules, clock: Clock, domains: Callable[[], frozenset[str]]
    ) -> None:
        self._rules = rules
        self._clock = clock
        self._domains = domains
        self._used: dict[tuple[str, str], datetime] = {}

    def complaint(self, found: SignInText, signature: str) -> Unfit | None:
        """What is wrong with this sign-in; None when it is good, and now used up."""
        rules = self._rules
        if found.network not in rules.networks:
            return Unfit("UNSUPPORTED_CHAIN", found.network)
        if rules.nonce.fullmatch(found.nonce) is None:
            return Unfit("MISSING_NONCE", f"not a nonce as it is wanted here: {found.nonce!r}")
        if found.domain not in self._domains():
            return Unfit("DOMAIN_MISMATCH", f"{found.domain} is not {sorted(self._domains())}")
        untimely = complaint_about_time(
            found, self._clock.now(), age_max_s=rules.age_max_s, ahead_max_s=rules.ahead_max_s
        )
        if untimely is not None:
            return untimely
        if not is_signed(found, signature, base64_too=rules.base64_signatures):
            return Unfit("INVALID_SIGNATURE", f"not signed by {found.address}")
        return self._use_up(found)

    def _use_up(self, found: SignInText) -> Unfit | None:
        now = self._clock.now()
        kept = timedelta(seconds=self._rules.nonce_kept_s)
        # In order of use, so that what has to go is at the front.
        while self._used and now - next(iter(self._used.values())) > kept:
            del self._used[next(iter(self._used))]
        key = found.wallet, found.nonce
        if key in self._used:
            return Unfit("NONCE_REUSED", f"{found.nonce} was used at {self._used[key]}")
        self._used[key] = now
        return None
