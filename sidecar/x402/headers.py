"""The headers that carry payments or identities, by every name a server may read them under.

Gateways in front of a server turn ``-`` into ``_``, so each name counts in all its spellings.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import product

from sidecar.http import Headers


def _spellings(names: Iterable[str]) -> frozenset[str]:
    spelled = set()
    for name in names:
        first, *words = name.split("-")
        for marks in product("-_", repeat=len(words)):
            spelled.add(
                first + "".join(mark + word for mark, word in zip(marks, words, strict=True))
            )
    return frozenset(spelled)


# What an app may not send: it would pay, or speak for a wallet, past every rule of ours.
REQUEST_PAYMENT_HEADERS = _spellings(
    {
        "agentkit",
        "payment-signature",
        "sign-in-with-x",
        "x-402-payment",
        "x-payment",
        "x-sign-in-with-x",
        "x-wallet-address",
    }
)

# What an app may not get: a challenge that it could pay itself, or our own secrets echoed. The
# receipt is neither, and passes.
RESPONSE_PAYMENT_HEADERS = _spellings(
    {
        "payment-required",
        "payment-signature",
        "sign-in-with-x",
        "x-payment",
        "x-payment-required",
    }
)

_PAYMENT_SCHEME = re.compile(r"(?:^|,)\s*x-payment\s*(?:,|$|\s)", re.IGNORECASE)


def without_challenge(headers: Headers) -> Headers:
    """A response's headers as an app may see them: no way to pay, no payment of ours."""
    return tuple(
        [
            header
            for header in headers
            if (name := header[0].lower()) not in RESPONSE_PAYMENT_HEADERS
            and not (name == "www-authenticate" and _PAYMENT_SCHEME.search(header[1]))
        ]
    )
