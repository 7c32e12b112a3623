"""The nonce of a payment: random, or where its wallet has ``nonces: derived`` the purchase's own.

    an explicit purchase    its key, and how many authorizations it had before
    a top-up                its account, the hour, and how many it had before in that hour
    any other               random: an identical request may be a second purchase, and only a
                            ledger can tell it from a retry

Counted in one ledger, no nonce is used twice. Two ledgers that know nothing of each other's
payment count alike and come to the same one: the chain takes the first and refuses the second,
which is then proved to be paid by the first. An app chooses its keys, and a new one is a new
purchase; nobody chooses an account's, so a ledger that was lost would meet every top-up there
ever was: hence the hour.
"""

from __future__ import annotations

from datetime import UTC, datetime

from sidecar.clock import Entropy
from sidecar.ledger import Ledger
from sidecar.ledger.model import Payment
from sidecar.payments.order import Order

_EVER = datetime(1970, 1, 1, tzinfo=UTC)


async def nonce_for(order: Order, payment: Payment, ledger: Ledger, entropy: Entropy) -> bytes:
    """The 32 bytes for this reserved payment. LedgerError when nobody can count."""
    secret, purchase = order.route.nonces, payment.purchase
    if secret is None or not (purchase.explicit or order.top_up):
        return entropy.token(32)
    since = _EVER
    if order.top_up:
        since = payment.reserved_at.replace(minute=0, second=0, microsecond=0)
    # It is the only open payment of its purchase, so nobody else counts the same now.
    before = await ledger.authorizations(purchase, since)
    return secret.nonce(payment.network, purchase.key, int(since.timestamp()), before)
