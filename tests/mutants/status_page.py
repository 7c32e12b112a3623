"""Bugs of the status page: what it lets run, whom it lets switch, what it shows."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

PAGE = "tests/unit/proxy/test_status_page.py"
FEED = "tests/unit/proxy/test_feed.py"
RECENT = "tests/unit/service/test_recent.py"
HELD = "tests/unit/service/test_held.py"
SPENDING = "tests/unit/service/test_spending.py"
VIEW = "tests/unit/service/test_view.py"
LEDGER = "tests/conformance/test_ledger.py"

STATUS_PAGE = (
    Mutant(
        "makes markup of what sellers say",
        "sidecar/proxy/page/elements.js",
        "    node.textContent = text;\n",
        "    node.innerHTML = text;\n",
        (PAGE,),
    ),
    Mutant(
        "lets markup run where it slips in",
        "sidecar/proxy/status_page.py",
        "        \"script-src 'self'\",\n",
        "        \"script-src 'self' 'unsafe-inline'\",\n",
        (PAGE,),
    ),
    Mutant(
        "sends the page without its policy",
        "sidecar/proxy/status_page.py",
        '    "Content-Security-Policy": CONTENT_SECURITY_POLICY,\n',
        "",
        (PAGE,),
    ),
    Mutant(
        "lets other pages frame the switches",
        "sidecar/proxy/status_page.py",
        "        \"frame-ancestors 'none'\",\n",
        "",
        (PAGE,),
    ),
    Mutant(
        "switches for whoever clicks",
        "sidecar/proxy/admin.py",
        "admitted = Gate(self._hosts(), self._tokens).admit(",
        "admitted = Gate(self._hosts(), None).admit(",
        ("tests/unit/proxy/test_admin.py::test_switch_without_token",),
    ),
    Mutant(
        "shows refusals with our secrets in them",
        "sidecar/service/view.py",
        "            name: redact(value) if isinstance(value, str) else value\n",
        "            name: value\n",
        (f"{VIEW}::test_refusal",),
    ),
    Mutant(
        "counts what was voided as spent",
        "sidecar/ledger/sqlite_spending.py",
        "WHERE state = 'posted' AND",
        "WHERE",
        (f"{LEDGER}::test_spending_is_what_moved",),
    ),
    Mutant(
        "counts what is in doubt as spent",
        "sidecar/ledger/sqlite_spending.py",
        "WHERE state = 'posted' AND",
        "WHERE (state = 'posted' OR state = 'authorized') AND",
        (f"{LEDGER}::test_spending_is_what_moved",),
    ),
    Mutant(
        "reads all that was ever paid to show a day",
        "sidecar/ledger/sqlite_spending.py",
        "AND reserved_at / 3600000 >= ?",
        "AND +reserved_at / 3600000 >= ?",
        ("tests/unit/ledger/test_sqlite_plans.py::test_spending_does_not_grow",),
    ),
    Mutant(
        "ends without a word when it stops",
        "sidecar/proxy/feed.py",
        "        while not stopping:\n",
        "        while not self._view.is_stopping():\n",
        (f"{FEED}::test_stop",),
    ),
    Mutant(
        "lets an open page hold up a stop",
        "sidecar/service/recent.py",
        "        self._over.set()\n",
        "",
        (f"{RECENT}::test_pace",),
    ),
    Mutant(
        "listens to any number of pages",
        "sidecar/proxy/feed.py",
        "        if self._listeners >= LISTENERS_MAX:\n",
        "        if False:\n",
        (f"{FEED}::test_listeners_are_bounded",),
    ),
    Mutant(
        "keeps a place for a page that was closed",
        "sidecar/proxy/feed.py",
        "            self._listeners -= 1\n",
        "            pass\n",
        (f"{FEED}::test_listeners_are_bounded",),
    ),
    Mutant(
        "remembers every refusal",
        "sidecar/service/recent.py",
        "deque(maxlen=REFUSALS_MAX)",
        "deque()",
        (f"{RECENT}::test_newest",),
    ),
    Mutant(
        "calls for a look at every request",
        "sidecar/service/recent.py",
        '        if type(event) is RequestServed and event.decision == "relayed":\n            return\n',
        "",
        (f"{RECENT}::test_no_news",),
    ),
    Mutant(
        "sleeps through what happens while it looks",
        "sidecar/service/recent.py",
        "        if not over and self._happened == seen:\n",
        "        if not over:\n",
        (f"{RECENT}::test_missed_news",),
    ),
    Mutant(
        "takes a top-up for use of credit",
        "sidecar/service/held.py",
        "        if fell > 0:\n",
        "        if fell:\n",
        (f"{HELD}::test_credit_that_was_bought",),
    ),
    Mutant(
        "adds the month up for every page",
        "sidecar/service/spending.py",
        "            if began_s >= self._peace_until_s:\n",
        "            if True:\n",
        (f"{SPENDING}::test_peace",),
    ),
)
