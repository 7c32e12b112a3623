"""The bugs that money-safe code must not have, each as one edit and the tests that see it."""

from __future__ import annotations

from tests.mutants.alert_rules import FIRST_RISES
from tests.mutants.approvals_and_shadow import APPROVALS_AND_SHADOW
from tests.mutants.attended import ATTENDED
from tests.mutants.budget_leases import BUDGET_LEASES
from tests.mutants.canary import CANARY
from tests.mutants.certificates import CERTIFICATES
from tests.mutants.commands import COMMANDS
from tests.mutants.complaints import COMPLAINTS
from tests.mutants.conclusion import CONCLUSION
from tests.mutants.config_and_lifecycle import CONFIG_AND_LIFECYCLE
from tests.mutants.connections import CONNECTIONS
from tests.mutants.containers import CONTAINERS
from tests.mutants.durability import DURABILITY
from tests.mutants.endings import ENDINGS
from tests.mutants.fast_lane import FAST_LANE
from tests.mutants.first_event import FIRST_EVENT
from tests.mutants.growth import GROWTH
from tests.mutants.hostile import HOSTILE
from tests.mutants.known_again import KNOWN_AGAIN
from tests.mutants.lane_cost import LANE_COST
from tests.mutants.lane_steps import LANE_STEPS
from tests.mutants.large_uploads import LARGE_UPLOADS
from tests.mutants.ledger_answers import LEDGER_ANSWERS
from tests.mutants.ledger_faults import LEDGER_FAULTS
from tests.mutants.ledger_turns import LEDGER_TURNS
from tests.mutants.looked_up_once import LOOKED_UP_ONCE
from tests.mutants.mutant import Mutant
from tests.mutants.nonces import NONCES
from tests.mutants.paid_cost import PAID_COST
from tests.mutants.paid_lines import PAID_LINES
from tests.mutants.paid_way import PAID_WAY
from tests.mutants.pins_and_freeze import PINS_AND_FREEZE
from tests.mutants.postgres_faults import POSTGRES_FAULTS
from tests.mutants.postgres_ledger import POSTGRES_LEDGER
from tests.mutants.reload import RELOADS
from tests.mutants.remembered import REMEMBERED
from tests.mutants.replicas import REPLICAS
from tests.mutants.resolve import RESOLVE
from tests.mutants.run_command import RUN_COMMAND
from tests.mutants.seen_in_a_batch import SEEN_IN_A_BATCH
from tests.mutants.seller_faults import SELLER_FAULTS
from tests.mutants.signer import SIGNER
from tests.mutants.simulation_finds import SIMULATION_FINDS
from tests.mutants.start_and_size import START_AND_SIZE
from tests.mutants.start_texts import START_TEXTS
from tests.mutants.status_page import STATUS_PAGE
from tests.mutants.stores_and_copy import STORES_AND_COPY
from tests.mutants.streams import STREAMS
from tests.mutants.summed_up import SUMMED_UP
from tests.mutants.told import TOLD
from tests.mutants.unix_socket import UNIX_SOCKET
from tests.mutants.values import VALUES
from tests.mutants.workers import SEVERAL_WORKERS

MONEY_PATH = "tests/flows/test_money_path.py"
CRASH = "tests/flows/test_crash.py"
# Where the planted line finds no Proof of its own.
PROOF = '__import__("sidecar.ledger.model").ledger.model.Proof("expired")'
TOP_UPS = "tests/flows/test_topups.py"

MUTANTS = (
    Mutant(
        "signs again while a payment is in doubt",
        "sidecar/payments/payer.py",
        "        payment_id = new_payment_id(now, self._entropy)\n",
        "        payment_id = new_payment_id(now, self._entropy)\n"
        '        order.purchase = __import__("dataclasses").replace(order.purch'
        "ase, key=payment_id)\n",
        (f"{MONEY_PATH}::test_in_doubt_binds",),
    ),
    Mutant(
        "forgets what it could not release",
        "sidecar/payments/payer.py",
        "        await self._release_leftovers()\n",
        "",
        ("tests/unit/payments/test_payer.py::test_disk_full_after_settling",),
    ),
    Mutant(
        "takes a 402 after payment for unpaid",
        "sidecar/payments/payer.py",
        "            reason, answered = await self._refusal(reply), True\n",
        "            reason, answered = await self._refusal(reply), True\n"
        "            if reply.status == 402:\n"
        "                await self._drop(payment)\n",
        (f"{MONEY_PATH}::test_402_is_not_evidence",),
    ),
    Mutant(
        "ignores the open payment after a restart",
        "sidecar/ledger/sqlite_instances.py",
        "return holder is not None and self.is_alive(holder)",
        "return holder is not None",
        (CRASH,),
    ),
    Mutant(
        "voids what is unused now",
        "sidecar/payments/evidence.py",
        'return Unknown("not used so far")',
        'return Dead(Proof("expired"))',
        (f"{MONEY_PATH}::test_expiry_voids",),
    ),
    Mutant(
        "voids by the local clock",
        "sidecar/payments/prover.py",
        "        findings = [",
        "        if self._clock.now() > payment.authorization.expires_at:\n"
        f"            return Dead({PROOF})\n"
        "        findings = [",
        (f"{MONEY_PATH}::test_local_clock_voids_nothing",),
    ),
    Mutant(
        "takes a failed read for absence",
        "sidecar/payments/prover.py",
        "            return Unknown(fault.diagnostics())",
        f"            return Dead({PROOF})",
        (f"{MONEY_PATH}::test_failed_read_voids_nothing",),
    ),
    Mutant(
        "writes down after sending",
        "sidecar/payments/payer.py",
        "        denied = await self._ledger.authorize(payment.id, authorization, now)\n",
        '        early = __import__("dataclasses").replace(payment, authorization=authorization)\n'
        "        await order.route.upstream.send(\n"
        "            order.request.with_headers(\n"
        "                payment_header(early.envelope, order.route.signer.sign(authorization))\n"
        "            ),\n"
        "            wait_s=1,\n"
        "        )\n"
        "        denied = await self._ledger.authorize(payment.id, authorization, now)\n",
        ("tests/flows/test_crash.py",),
    ),
    Mutant(
        "marks delivered before the last byte",
        "sidecar/proxy/delivery.py",
        "        complete = False\n        try:\n            complete = await self._stream(",
        "        complete = True\n        try:\n            await self._stream(",
        ("tests/e2e/test_faults.py::test_hang_up_is_not_delivery",),
    ),
    Mutant(
        "tops up beside another process",
        "sidecar/ledger/sqlite_books.py",
        "if taken and (purchase.explicit or intent.top_up is not None):",
        "if taken and purchase.explicit:",
        (f"{TOP_UPS}::test_two_processes",),
    ),
    Mutant(
        "tops up for a refusal that is older than the last top-up",
        "sidecar/ledger/sqlite_rules.py",
        "if sqlite_lists.is_topped_up_since(connection, intent.purchase, rule.since):",
        "if False:",
        ("tests/conformance/test_ledger.py::test_answered_by_a_top_up",),
    ),
    Mutant(
        "tops up for each that waits",
        "sidecar/payments/topups.py",
        "        run = self._runs.get(key) or self._start(need)\n",
        "        run = self._start(need)\n",
        (f"{TOP_UPS}::test_a_thousand_at_once",),
    ),
    Mutant(
        "takes a served request for credit that came",
        "sidecar/payments/prepaid.py",
        "return self.rose and (self.served or self.need.background)",
        "return self.served or self.need.background",
        (f"{TOP_UPS}::test_served_before_seen",),
    ),
    Mutant(
        "takes credit that came for one that helps",
        "sidecar/payments/prepaid.py",
        "return self.rose and (self.served or self.need.background)",
        "return self.rose",
        (f"{TOP_UPS}::test_taken_and_refused",),
    ),
    Mutant(
        "gives a top-up up, and so allows the next",
        "sidecar/payments/recovery.py",
        'if payment.purpose == "top_up":',
        "if False:",
        (f"{TOP_UPS}::test_taken_and_not_credited",),
    ),
    Mutant(
        "gives a top-up up that was paid and refused",
        "sidecar/payments/payer.py",
        "            if order.top_up is None:\n",
        "            if True:\n",
        (f"{TOP_UPS}::test_paid_and_kept",),
    ),
    Mutant(
        "signs in where a challenge says",
        "sidecar/siwx/challenge.py",
        "    if message.domain != origin.host_header:\n",
        "    if False:\n",
        ("tests/unit/siwx/test_challenge_origin.py",),
    ),
    Mutant(
        "voids on Solana what a late node does not show",
        "sidecar/payments/solana_evidence.py",
        'url, fields["source"], before, PAGE_ENTRIES, commitment, tip.slot',
        'url, fields["source"], before, PAGE_ENTRIES, commitment, 0',
        ("tests/unit/payments/test_solana_evidence.py",),
    ),
    Mutant(
        "voids on Solana by the time alone",
        "sidecar/payments/solana_evidence.py",
        '        return tip.block_height > int(fields["last_valid_block_height"])\n',
        "        return True\n",
        ("tests/unit/payments/test_solana_evidence.py",),
    ),
    *POSTGRES_LEDGER,
    *BUDGET_LEASES,
    *SEVERAL_WORKERS,
    *POSTGRES_FAULTS,
    *REPLICAS,
    *NONCES,
    *PINS_AND_FREEZE,
    *APPROVALS_AND_SHADOW,
    *HOSTILE,
    *KNOWN_AGAIN,
    *LEDGER_FAULTS,
    *LEDGER_ANSWERS,
    *LEDGER_TURNS,
    *DURABILITY,
    *SIGNER,
    *RESOLVE,
    *FAST_LANE,
    *FIRST_EVENT,
    *LANE_COST,
    *CONNECTIONS,
    *ATTENDED,
    *SUMMED_UP,
    *TOLD,
    *PAID_COST,
    *ENDINGS,
    *VALUES,
    *LOOKED_UP_ONCE,
    *REMEMBERED,
    *SEEN_IN_A_BATCH,
    *PAID_WAY,
    *PAID_LINES,
    *LANE_STEPS,
    *CONCLUSION,
    *LARGE_UPLOADS,
    *CERTIFICATES,
    *GROWTH,
    *STORES_AND_COPY,
    *STREAMS,
    *UNIX_SOCKET,
    *SIMULATION_FINDS,
    *START_AND_SIZE,
    *START_TEXTS,
    *CONFIG_AND_LIFECYCLE,
    *COMMANDS,
    *FIRST_RISES,
    *RELOADS,
    *STATUS_PAGE,
    *COMPLAINTS,
)
# Those of whole processes and of deployment take minutes.
SLOW_MUTANTS = (*CANARY, *SELLER_FAULTS, *RUN_COMMAND, *CONTAINERS)
