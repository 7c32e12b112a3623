"""Bugs of the commands that ask, explain and buy: quote, explain, doctor, top-up."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

BY_HAND = "tests/unit/payments/test_by_hand.py"
QUOTE = "tests/unit/ledger/test_quote.py"
QUOTED = "tests/e2e/test_cli_quote.py"
DOCTOR = "tests/e2e/test_cli_doctor.py"
EXPLAIN = "tests/e2e/test_cli_explain.py"

COMMANDS = (
    Mutant(
        "signs in for a quote",
        "sidecar/cli/pricing.py",
        "build_provider(route, opened, shadow=True)",
        "build_provider(route, opened, shadow=False)",
        (f"{QUOTED}::test_signs_nothing",),
    ),
    Mutant(
        "sends an app's credentials with a quote",
        "sidecar/cli/quote.py",
        "    return request_headers(headers, (), reads_bodies=True)\n",
        "    return headers\n",
        (f"{QUOTED}::test_signs_nothing",),
    ),
    Mutant(
        "asks with the API key for a quote",
        "sidecar/cli/quote.py",
        "    if route is not None and route.api_key is not None:\n        return _KEYED\n",
        "",
        (f"{QUOTED}::test_api_key",),
    ),
    Mutant(
        "quotes without the ledger's rules",
        "sidecar/ledger/sqlite_quote.py",
        "frozen or sqlite_rules.refusal(connection, intent, at, seen)",
        "frozen",
        (f"{QUOTE}::test_rules",),
    ),
    Mutant(
        "quotes while frozen",
        "sidecar/ledger/sqlite_quote.py",
        "frozen or sqlite_rules.refusal(connection, intent, at, seen)",
        "sqlite_rules.refusal(connection, intent, at, seen)",
        (f"{QUOTE}::test_rules",),
    ),
    Mutant(
        "quotes without budgets",
        "sidecar/ledger/sqlite_quote.py",
        "return windows if isinstance(windows, Denied) else None",
        "return None",
        (f"{QUOTE}::test_beside_a_running_sidecar",),
    ),
    Mutant(
        "pays whom no rule allows, in a quote",
        "sidecar/cli/pricing.py",
        "        if denied is not None:\n            return replace(quote, denied=denied)\n",
        "",
        (f"{QUOTED}::test_body_from_a_pipe",),
    ),
    Mutant(
        "takes an endpoint of another chain for a good one",
        "sidecar/cli/remote_checks.py",
        "    if network != chain.network:\n",
        "    if False:\n",
        (f"{DOCTOR}::test_another_chain",),
    ),
    Mutant(
        "takes an endpoint that lags behind for a good one",
        "sidecar/cli/remote_checks.py",
        "    if abs(ahead_s) > CLOCK_SKEW_S_MAX:\n        detail = (",
        "    if False:\n        detail = (",
        (f"{DOCTOR}::test_late_chain",),
    ),
    Mutant(
        "signs in to vendors unasked, to look whether all is well",
        "sidecar/cli/vendor_checks.py",
        "        if not signs_in:\n",
        "        if False:\n",
        (f"{DOCTOR}::test_beside_a_running_sidecar",),
    ),
    Mutant(
        "shows the key in an endpoint's URL",
        "sidecar/cli/remote_checks.py",
        'name, origin = f"RPC {where}", Origin.of(url)',
        'name, origin = f"RPC {where}", url',
        (f"{DOCTOR}::test_hidden_key",),
    ),
    Mutant(
        "explains in control characters",
        "sidecar/cli/explain.py",
        """    print(f"\\n{plain(refusal.get('detail'))}")""",
        """    print(f"\\n{refusal.get('detail')}")""",
        (f"{EXPLAIN}::test_hostile_words",),
    ),
    Mutant(
        "tells a payment's steps in control characters",
        "sidecar/cli/explain.py",
        "{plain(sentence(step, payment))}",
        "{sentence(step, payment)}",
        (f"{EXPLAIN}::test_hostile_words",),
    ),
    Mutant(
        "buys credit for whoever asks",
        "sidecar/proxy/admin.py",
        "        if is_switch(path):\n",
        "        if path.startswith(TOP_UP):\n"
        "            return _answer(await self._office.switch(path))\n"
        "        if is_switch(path):\n",
        ("tests/unit/proxy/test_admin_top_up.py::test_not_asked",),
    ),
    Mutant(
        "buys by hand while a top-up is unproven",
        "sidecar/payments/by_hand.py",
        "        if before is not None:\n",
        "        if False:\n",
        (f"{BY_HAND}::test_without_a_balance",),
    ),
    Mutant(
        "stops top-ups because a person asked twice",
        "sidecar/payments/by_hand.py",
        '            return unproven(before.payment, "no request was served by it yet")\n',
        "            return self.topups._refused(before)\n",
        (f"{BY_HAND}::test_without_a_balance",),
    ),
    Mutant(
        "buys nothing for a person while there is credit, and says that it did",
        "sidecar/payments/topups.py",
        "if need.background and not need.by_hand and before",
        "if need.background and before",
        (f"{BY_HAND}::test_bought",),
    ),
    Mutant(
        "takes a top-up of before for one that was bought now",
        "sidecar/payments/by_hand.py",
        "    return previous.state is PaymentState.POSTED\n",
        "    return False\n",
        (f"{BY_HAND}::test_paid_before_a_restart",),
    ),
)
