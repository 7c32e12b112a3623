"""Bugs of the payee pins, the price limit and the freeze."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

PINS = "tests/flows/test_pins.py"
FREEZE = "tests/flows/test_freeze.py"
LEDGER = "tests/conformance/test_ledger.py"

PINS_AND_FREEZE = (
    Mutant(
        "pays whoever the seller names now",
        "sidecar/ledger/denials.py",
        "    if pinned == intent.payee:\n",
        "    if True:\n",
        (f"{PINS}::test_payee_swapped",),
    ),
    Mutant(
        "pins whoever came last",
        "sidecar/ledger/sqlite_pins.py",
        "    if pinned is None:\n",
        "    if pinned != intent.payee:\n        connection.execute(_FORGET, (intent.route,))\n",
        (f"{PINS}::test_payee_swapped",),
    ),
    Mutant(
        "takes a payee in other letters for another one",
        "sidecar/ledger/model.py",
        "return self.pay_to.lower() if is_evm(self.network) else self.pay_to",
        "return self.pay_to",
        (f"{LEDGER}::test_payee_in_other_letters",),
    ),
    Mutant(
        "pins where the config names the payees",
        "sidecar/payments/intents.py",
        "pin_place=None if route.policy.pay_to else route.place_of(order.request)",
        "pin_place=route.place_of(order.request)",
        (f"{PINS}::test_config_names_the_payees",),
    ),
    Mutant(
        "pins one payee for all endpoints",
        "sidecar/service/wiring.py",
        "place_of=vendors.place_of(config, provider)",
        "place_of=vendors.nowhere",
        ("tests/unit/service/test_wiring.py",),
    ),
    Mutant(
        "lets a price walk up day by day",
        "sidecar/ledger/denials.py",
        "    usual = min(before",
        "    usual = max(before",
        (f"{PINS}::test_price_walk",),
    ),
    Mutant(
        "lets a price jump on its first day",
        "sidecar/ledger/denials.py",
        "default=today)",
        "default=None)",
        (f"{PINS}::test_price_spike",),
    ),
    Mutant(
        "takes a voided price for the usual one",
        "sidecar/ledger/sqlite_prices.py",
        "AND price_place <> '' AND state <> 'voided'",
        "AND price_place <> ''",
        (f"{LEDGER}::test_voided_price",),
    ),
    Mutant(
        "reserves while frozen",
        "sidecar/ledger/sqlite_books.py",
        'not presented again either.\n        frozen = sqlite_freeze.refusal_since(seen["frozen_since"])\n',
        "not presented again either.\n        frozen = None\n",
        (f"{LEDGER}::test_freeze",),
    ),
    Mutant(
        "presents while frozen what it would not sign again",
        "sidecar/ledger/sqlite_books.py",
        "    ) -> Payment | Denied | None:\n        frozen = sqlite_freeze.refusal(self.connection)\n",
        "    ) -> Payment | Denied | None:\n        frozen = None\n",
        ("tests/unit/payments/test_payer.py::test_frozen_though_refused",),
    ),
    Mutant(
        "writes down while frozen",
        "sidecar/ledger/sqlite_books.py",
        'frozen = sqlite_freeze.refusal_since(row["frozen_since"])',
        "frozen = None",
        (f"{FREEZE}::test_before_the_writing_down",),
    ),
    Mutant(
        "goes on presenting after a freeze",
        "sidecar/payments/payer.py",
        " or await self._ledger.frozen_since()",
        "",
        (f"{FREEZE}::test_between_presentations",),
    ),
    Mutant(
        "asks for terms of credit while frozen",
        "sidecar/payments/topups.py",
        "        if await self._ledger.frozen_since():\n",
        "        if False:\n",
        (f"{FREEZE}::test_no_credit_is_bought",),
    ),
    Mutant(
        "buys again what was delivered since the claim",
        "sidecar/ledger/moves.py",
        'return since is not None and bool(row["settled_at"] >= milliseconds(since))',
        "return False",
        (f"{PINS}::test_delivered_before_it_reserves",),
    ),
    Mutant(
        "freezes for whoever asks",
        "sidecar/proxy/admin.py",
        "Gate(self._hosts(), self._tokens).admit",
        "Gate(self._hosts(), None).admit",
        ("tests/unit/proxy/test_admin.py::test_switch_without_token",),
    ),
)
