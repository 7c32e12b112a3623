"""Bugs of what a payment does not do twice: envelopes, digests, rows that are not read back."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

SIGNED = "sidecar/ledger/sqlite_signed.py"
BOOKS = "sidecar/ledger/sqlite_books.py"
KEPT = "tests/unit/ledger/test_sqlite_signed.py"
ENCODE = "sidecar/x402/encode.py"
ENCODED = "tests/unit/x402/test_encode.py"
EVM = "tests/unit/wallets/test_evm.py"
TYPES = "sidecar/x402/types.py"
MODEL = "tests/unit/ledger/test_model.py"

PAID_COST = (
    Mutant(
        "gives one payment's identifier to the next",
        ENCODE,
        '    if "extensions" not in document:\n',
        "    if document:\n",
        (f"{ENCODED}::test_each_payment_its_identifier",),
    ),
    Mutant(
        "answers every offer with the first one's words",
        ENCODE,
        "shared is not None and shared[0] is requirements",
        "shared is not None",
        (f"{ENCODED}::test_other_offer",),
    ),
    Mutant(
        "keeps an envelope when the terms change",
        TYPES,
        "    shared_envelope: Any = field(default=None, init=False, ",
        "    shared_envelope: Any = field(default=None, ",
        (f"{ENCODED}::test_other_offer",),
    ),
    Mutant(
        "encodes a part of three bytes",
        ENCODE,
        "len(begun) // 3 * 3",
        "len(begun)",
        (f"{ENCODED}::test_same_terms_again",),
    ),
    Mutant(
        "signs what another wallet drew up",
        "sidecar/wallets/evm.py",
        "if drawer is not self:",
        "if drawer is None:",
        (f"{EVM}::test_drawn_by_another",),
    ),
    Mutant(
        "signs the digest from before a change",
        TYPES,
        "    drawn: Any = field(default=None, init=False, ",
        "    drawn: Any = field(default=None, ",
        (f"{EVM}::test_changed_since",),
    ),
    Mutant(
        "writes down what cannot be signed",
        "sidecar/wallets/evm.py",
        "(self, self.digest(authorization))",
        '(self, b"")',
        (f"{EVM}::test_not_authorized",),
    ),
    Mutant(
        "forgets when a payment was reserved",
        "sidecar/ledger/drafts.py",
        "    draft.reserved_at = payment.reserved_at\n",
        "    draft.reserved_at = authorized_at\n",
        (f"{MODEL}::test_moved",),
    ),
    Mutant(
        "names purchases otherwise than before",
        "sidecar/proxy/outcomes.py",
        '", ".join(map(_quoted, parts))',
        '",".join(map(_quoted, parts))',
        ("tests/unit/proxy/test_outcomes.py::test_key_of_a_purchase",),
    ),
    Mutant(
        "never waits between presentations",
        "sidecar/payments/payer.py",
        "            if pause_s > 0:\n",
        "            if False:\n",
        ("tests/flows/test_money_path.py::test_retry_after_is_obeyed",),
    ),
    Mutant(
        "tells of what it signed for, not of what the row holds",
        "sidecar/ledger/sqlite_statements.py",
        "AND auth_identity = ?",
        "AND auth_identity <> ? || 'x'",
        (f"{KEPT}::test_row_of_another_authorization",),
    ),
    Mutant(
        "tells of an expiry that no row holds",
        "sidecar/ledger/sqlite_signed.py",
        "if authorization.expires_at.microsecond % 1000:",
        "if False:",
        (f"{KEPT}::test_finer_than_a_row",),
    ),
    Mutant(
        "keeps what it signed for without its limit",
        SIGNED,
        "if len(self._kept) >= KEPT_MAX:",
        "if len(self._kept) > 2 * KEPT_MAX:",
        (f"{KEPT}::test_bounded",),
    ),
    Mutant(
        "forgets that it was delivered before it was posted",
        SIGNED,
        "delivered_at=moment_or_none(delivered_at)",
        "delivered_at=None",
        (f"{KEPT}::test_posted",),
    ),
    Mutant(
        "tells of a reservation that was undone",
        SIGNED,
        "self._kept[payment.id] = Kept(seq, payment, windows)",
        "self._kept.setdefault(payment.id, Kept(seq, payment, windows))",
        (f"{KEPT}::test_undone_reservation",),
    ),
    Mutant(
        "delivers what is only reserved",
        "sidecar/ledger/sqlite_statements.py",
        "WHERE id = ? AND seq = ? AND state <> 'reserved' AND delivered_at IS NULL",
        "WHERE id = ? AND seq = ? AND delivered_at IS NULL",
        (f"{KEPT}::test_delivered_reserved",),
    ),
    Mutant(
        "says nothing of what it cannot deliver",
        BOOKS,
        "            moves.permit_deliver(row)\n",
        "",
        ("tests/unit/ledger/test_sqlite_signed.py::test_delivered_reserved",),
    ),
)
