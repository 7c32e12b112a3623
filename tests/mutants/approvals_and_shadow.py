"""Bugs of approvals and of shadow mode."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

APPROVALS = "tests/flows/test_approvals.py"
LEDGER = "tests/conformance/test_approvals.py"
SHADOW = "tests/flows/test_shadow.py"
WEBHOOKS = "tests/unit/payments/test_webhooks.py"

APPROVALS_AND_SHADOW = (
    Mutant(
        "signs before anybody approved",
        "sidecar/payments/payer.py",
        "denied = await self._approvals.wait(",
        "denied = None if order else await self._approvals.wait(",
        (f"{APPROVALS}::test_refused", f"{APPROVALS}::test_timeout"),
    ),
    Mutant(
        "authorizes what nobody approved",
        "sidecar/ledger/sqlite_approvals.py",
        'if not seen["asked"] or seen["approved"]:',
        "if True:",
        (f"{LEDGER}::test_not_before",),
    ),
    Mutant(
        "takes a refusal for an approval",
        "sidecar/payments/approvals.py",
        "return None if approved else",
        "return None if True else",
        (f"{APPROVALS}::test_refused",),
    ),
    Mutant(
        "asks for nothing over the threshold",
        "sidecar/payments/intents.py",
        "ask_until=approval.ask_until(candidate.amount, at) if approval else None",
        "ask_until=None",
        (
            f"{APPROVALS}::test_timeout",
            f"{APPROVALS}::test_reserved_meanwhile",
            f"{APPROVALS}::test_approved",
        ),
    ),
    Mutant(
        "lets a second word undo the first",
        "sidecar/ledger/sqlite_approvals.py",
        "kind = 'approved' OR kind = 'refused')\n      AND kind <> 'claimed'\n  )",
        "kind = 'nothing')\n      AND kind <> 'claimed'\n  )",
        (f"{LEDGER}::test_decided_once",),
    ),
    Mutant(
        "lets a late word count",
        "sidecar/ledger/sqlite_approvals.py",
        " and at < waiting.until:",
        ":",
        (f"{LEDGER}::test_too_late",),
    ),
    Mutant(
        "waits for a person after the app has gone",
        "sidecar/payments/approvals.py",
        "            if is_deserted():",
        "            if False:",
        (f"{APPROVALS}::test_hung_up",),
    ),
    Mutant(
        "waits for a person while it is stopped",
        "sidecar/payments/approvals.py",
        "            if objection is not None:",
        "            if False:",
        (f"{APPROVALS}::test_stopping_meanwhile",),
    ),
    Mutant(
        "takes any answer of a webhook for an approval",
        "sidecar/payments/webhooks.py",
        "return _DECISIONS.get(decision) if isinstance(decision, str) else None",
        "return _DECISIONS.get(str(decision), True)",
        (f"{WEBHOOKS}::test_answers",),
    ),
    Mutant(
        "takes a webhook's failure for its word",
        "sidecar/payments/webhooks.py",
        "if not 200 <= response.status < 300:",
        "if False:",
        (f"{WEBHOOKS}::test_fails",),
    ),
    Mutant(
        "decides by a link",
        "sidecar/proxy/admin.py",
        'if request.method != "POST":',
        "if False:",
        ("tests/unit/proxy/test_admin.py::test_decide_by_a_link",),
    ),
    Mutant(
        "signs in shadow mode",
        "sidecar/payments/payer.py",
        "        if order.route.shadow:\n            return await",
        "        if False:\n            return await",
        (f"{SHADOW}::test_nothing_leaves",),
    ),
    Mutant(
        "presents what was rehearsed",
        "sidecar/payments/payer.py",
        "        if order.route.shadow:\n            return refused\n",
        "",
        (f"{SHADOW}::test_refused_since",),
    ),
    Mutant(
        "keeps one ledger for both modes",
        "sidecar/config/ledger.py",
        'return SqliteFile(path.with_name(f"{path.name}.shadow") if mode == "shadow" else path)',
        "return SqliteFile(path)",
        (f"{SHADOW}::test_two_books",),
    ),
    Mutant(
        "counts a rehearsal as spent",
        "sidecar/metrics/tally.py",
        "self.rehearsed[self._spender(payment)] +=",
        "self.spend[self._spender(payment)] +=",
        ("tests/unit/test_metrics.py::test_rehearsals",),
    ),
    Mutant(
        "signs in in shadow mode",
        "sidecar/service/vendors.py",
        "return NoSignIn() if shadow and isinstance(provider, Prepaid) else provider",
        "return provider",
        (f"{SHADOW}::test_service",),
    ),
)
