"""Bugs of lines and counts of payments that are made from what is alike of them."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

LINES = "tests/unit/test_logs_payments.py"
COUNTS = "tests/unit/test_metrics_posted.py"
SINK = "sidecar/logs/__init__.py"
PAYMENTS = "sidecar/logs/payments.py"
TALLY = "sidecar/metrics/tally.py"

PAID_LINES = (
    Mutant(
        "looks at no slice for secrets",
        SINK,
        "        if unseen and self._redactor.finds(unseen):\n",
        "        if False:\n",
        (f"{LINES}::test_secret_in_one_of_many",),
    ),
    Mutant(
        "makes the first of a slice's lines anew alone",
        SINK,
        "for place, timestamp, event in alike:",
        "for place, timestamp, event in alike[:1]:",
        (f"{LINES}::test_secret_in_one_of_many",),
    ),
    Mutant(
        "writes lines of before with what is a secret now",
        SINK,
        "        self._redactor = Redactor(secrets)\n        self._share_anew()\n",
        "        self._redactor = Redactor(secrets)\n",
        (f"{LINES}::test_secrets_that_are_learned",),
    ),
    Mutant(
        "takes a transaction for a text of ours",
        PAYMENTS,
        "            unseen.add(transaction)\n",
        "",
        (f"{LINES}::test_secret_in_one_of_many",),
    ),
    Mutant(
        "takes a payment's id for what it should be",
        PAYMENTS,
        "        unseen.add(payment_id)\n        begin, end = parts\n",
        "        begin, end = parts\n",
        (f"{LINES}::test_secret_in_one_of_many",),
    ),
    Mutant(
        "takes the id of a paid request for what it should be",
        PAYMENTS,
        "        unseen.add(payment_id)\n        begin, middle, end = parts\n",
        "        begin, middle, end = parts\n",
        (f"{LINES}::test_each_field",),
    ),
    Mutant(
        "looks at a transaction as it came alone",
        PAYMENTS,
        "            if len(named) > len(transaction) + 2:\n                return None\n",
        "",
        (f"{LINES}::test_each_field",),
    ),
    Mutant(
        "tells of all proofs as of the first",
        PAYMENTS,
        "            None if proof is None else proof.kind,\n        )",
        "        )",
        (f"{LINES}::test_each_field",),
    ),
    Mutant(
        "tells of all payees as of the first",
        PAYMENTS,
        "            payment.pay_to,\n",
        "",
        (f"{LINES}::test_each_field",),
    ),
    Mutant(
        "tells of all amounts as of the first",
        PAYMENTS,
        "            event.decision,\n            amount.atomic,\n",
        "            event.decision,\n",
        (f"{LINES}::test_each_field",),
    ),
    Mutant(
        "leaves out a paid request's rule",
        PAYMENTS,
        " or event.rule or event.detail:",
        ":",
        (f"{LINES}::test_each_field",),
    ),
    Mutant(
        "remembers every path that was paid for",
        PAYMENTS,
        "            self._shared.clear()\n",
        "            pass\n",
        (f"{LINES}::test_shared_payments_are_bounded",),
    ),
    Mutant(
        "breaks where a secret is a word of every line",
        PAYMENTS,
        "        if not found:\n            return None\n",
        "",
        (f"{LINES}::test_secret_of_every_line",),
    ),
    Mutant(
        "counts a known payer as a stranger",
        TALLY,
        "        self._payers.clear()\n        for route",
        "        for route",
        (f"{COUNTS}::test_posted_under_a_new_name",),
    ),
    Mutant(
        "adds to the first payer's spend",
        TALLY,
        "            payment.route,\n"
        "            payment.caller,\n"
        "            payment.purpose,\n"
        "            payment.scheme,",
        "            payment.route,\n            payment.purpose,\n            payment.scheme,",
        (f"{COUNTS}::test_each_is_its_own",),
    ),
    Mutant(
        "remembers every payer",
        TALLY,
        "                self._payers.clear()\n",
        "                pass\n",
        (f"{COUNTS}::test_payers_are_bounded",),
    ),
    Mutant(
        "rings for nobody",
        "sidecar/service/recent.py",
        "            self._waiting += 1\n",
        "            self._waiting += 0\n",
        ("tests/unit/service/test_recent.py::test_news",),
    ),
)
