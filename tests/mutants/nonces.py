"""Bugs of the second lock."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

FLOWS = "tests/flows/test_nonces.py"
EVIDENCE = "tests/unit/payments/test_evidence.py"
SECRET = "tests/unit/wallets/test_nonces.py"

NONCES = (
    Mutant(
        "pays under a random nonce where the purchase has its own",
        "sidecar/payments/nonces.py",
        "    if secret is None or not (purchase.explicit or order.top_up):\n",
        "    if True:\n",
        (f"{FLOWS}::test_one_key_two_ledgers", f"{FLOWS}::test_top_ups"),
    ),
    Mutant(
        "takes a second equal call for a retry of another ledger's",
        "sidecar/payments/nonces.py",
        "    if secret is None or not (purchase.explicit or order.top_up):\n",
        "    if secret is None:\n",
        (f"{FLOWS}::test_calls_without_a_key",),
    ),
    Mutant(
        "uses one nonce for every payment of a key",
        "sidecar/payments/nonces.py",
        "    before = await ledger.authorizations(purchase, since)\n",
        "    before = 0\n",
        (f"{FLOWS}::test_second_purchase_of_one_key",),
    ),
    Mutant(
        "counts top-ups from the first there ever was",
        "sidecar/payments/nonces.py",
        "    if order.top_up:\n",
        "    if False:\n",
        (f"{FLOWS}::test_top_ups_hour_by_hour",),
    ),
    Mutant(
        "puts the time of the payment into its nonce",
        "sidecar/payments/nonces.py",
        "int(since.timestamp()), before)",
        "int(payment.reserved_at.timestamp()), before)",
        (f"{FLOWS}::test_one_key_two_ledgers", f"{FLOWS}::test_top_ups"),
    ),
    Mutant(
        "makes the same nonces for every wallet",
        "sidecar/wallets/nonces.py",
        "return cls(hmac.digest(private_key, _DOMAIN, hashlib.sha256))",
        "return cls(hmac.digest(_DOMAIN, _DOMAIN, hashlib.sha256))",
        (f"{FLOWS}::test_another_wallet", f"{SECRET}::test_each_its_own"),
    ),
    Mutant(
        "forgets authorizations that were voided",
        "sidecar/ledger/sqlite_lists.py",
        "WHERE purchase_key = ? AND explicit = 1 AND authorized_at IS NOT NULL AND reserved_at >= ?",
        "WHERE purchase_key = ? AND explicit = 1 AND state <> 'voided' AND reserved_at >= ?\n"
        "  AND authorized_at IS NOT NULL",
        (f"{FLOWS}::test_after_a_void",),
    ),
    Mutant(
        "counts a payment before it is authorized",
        "sidecar/ledger/sqlite_lists.py",
        "WHERE purchase_key = ? AND explicit = 1 AND authorized_at IS NOT NULL AND reserved_at >= ?",
        "WHERE purchase_key = ? AND explicit = 1 AND reserved_at >= ?",
        ("tests/conformance/test_ledger.py::test_authorizations",),
    ),
    Mutant(
        "voids what its purchase was paid for on other terms",
        "sidecar/payments/evidence.py",
        "                return Unknown(why, lasting=True)\n",
        '                return Dead(Proof("canceled", event.transaction))\n',
        (f"{FLOWS}::test_other_terms", f"{EVIDENCE}::test_used_on_other_terms"),
    ),
    Mutant(
        "takes any transfer under its nonce for its own",
        "sidecar/payments/evidence.py",
        "            if moved:\n                return Moved",
        "            if True:\n                return Moved",
        (f"{FLOWS}::test_other_terms",),
    ),
    Mutant(
        "looks for another ledger's payment only where its own could be",
        "sidecar/payments/evidence.py",
        '        if not (payment.purchase.explicit or payment.purpose == "top_up"):\n',
        "        if True:\n",
        (f"{EVIDENCE}::test_used_before_it_was_authorized",),
    ),
    Mutant(
        "derives nonces that nobody asked for",
        "sidecar/service/nonces.py",
        '        if config.wallets[name].nonces == "random":\n',
        "        if False:\n",
        ("tests/unit/service/test_wiring.py::test_nonces",),
    ),
    Mutant(
        "lets the log show what nonces come from",
        "sidecar/service/secrets.py",
        "            *(secret.reveal() for secret in nonces.values()),\n",
        "",
        ("tests/unit/service/test_secrets.py::test_nonces",),
    ),
)
