"""Bugs of what a person settles, and of how far ledger and chain are apart."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

FLOWS = "tests/flows/test_resolve.py"
RESOLUTIONS = "tests/unit/ledger/test_resolutions.py"
TESTIMONY = "tests/unit/payments/test_testimony.py"
DRIFT = "tests/unit/payments/test_drift.py"

RESOLVE = (
    Mutant(
        "lets a person void before the expiry",
        "sidecar/ledger/resolutions.py",
        "return authorization is not None and at >= authorization.expires_at + EXPIRY_MARGIN",
        "return authorization is not None",
        (f"{RESOLUTIONS}::test_void_has_one_door",),
    ),
    Mutant(
        "says nothing against voiding before the expiry",
        "sidecar/ledger/resolutions.py",
        "if resolution is Resolution.VOIDED and at < voidable_at:",
        "if False:",
        (f"{RESOLUTIONS}::test_voided",),
    ),
    Mutant(
        "settles what a live request is being served by",
        "sidecar/ledger/resolutions.py",
        "    if held:\n",
        "    if False:\n",
        (f"{RESOLUTIONS}::test_held",),
    ),
    Mutant(
        "voids on a person's word what the chain has",
        "sidecar/payments/testimony.py",
        "            case Moved(proof):\n",
        "            case Moved(proof) if False:\n",
        (f"{TESTIMONY}::test_voided",),
    ),
    Mutant(
        "voids on a person's word while the chain may tell",
        "sidecar/payments/testimony.py",
        "if isinstance(finding, Unknown) and not finding.lasting:",
        "if False:",
        (f"{TESTIMONY}::test_voided",),
    ),
    Mutant(
        "posts on a person's word what can never be paid",
        "sidecar/payments/testimony.py",
        "        if isinstance(finding, Dead):\n",
        "        if False:\n",
        (f"{TESTIMONY}::test_posted",),
    ),
    Mutant(
        "takes a person's word without a transaction for a confirmation",
        "sidecar/ledger/model.py",
        'return bool(self.transaction) if self.kind == "person" else self.kind != "served"',
        'return self.kind != "served"',
        (f"{RESOLUTIONS}::test_posted",),
    ),
    Mutant(
        "does not notice that a top-up was settled",
        "sidecar/payments/topups.py",
        "if newest is not None and newest.id == payment.id and is_unproven(newest):",
        "if True:",
        (f"{FLOWS}::test_top_ups_go_on",),
    ),
    Mutant(
        "takes an unproven top-up for settled",
        "sidecar/payments/topups.py",
        "if newest is not None and newest.id == payment.id and is_unproven(newest):",
        "if False:",
        ("tests/flows/test_topups.py::test_taken_and_refused",),
    ),
    Mutant(
        "forgets who settled a payment",
        "sidecar/ledger/sqlite_books.py",
        "to_json(detail | self.said_by)",
        "to_json(detail)",
        (f"{RESOLUTIONS}::test_posted",),
    ),
    Mutant(
        "does not count foreign transfers as drift",
        "sidecar/payments/drift.py",
        "    watched.foreign += total(outflow.amount for outflow in foreign)\n",
        "",
        (f"{DRIFT}::test_foreign",),
    ),
    Mutant(
        "explains two transfers by one payment",
        "sidecar/payments/drift.py",
        "if is_signed(each) and each.id not in watched.explained]",
        "if is_signed(each)]",
        (f"{DRIFT}::test_explained_once",),
    ),
    Mutant(
        "believes one of two endpoints that disagree",
        "sidecar/payments/drift.py",
        "if any(each != told[0] for each in told) or len(",
        "if len(",
        (f"{DRIFT}::test_disagreeing",),
    ),
    Mutant(
        "passes over the blocks that one look leaves",
        "sidecar/payments/drift.py",
        "        return await self._hold(evm_mark(url, furthest))\n",
        "        return final\n",
        (f"{DRIFT}::test_bounded",),
    ),
)
