"""The bugs that money-safe code must not have, each as one edit and the tests that see it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Mutant:
    """Replace ``old`` by ``new`` in ``file``: one of ``tests`` must fail."""

    name: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]


MONEY_PATH = "tests/flows/test_money_path.py"
CRASH = "tests/flows/test_crash.py"

MUTANTS = (
    Mutant(
        "signs again while a payment is in doubt",
        "sidecar/payments/payer.py",
        "payment = await self._ledger.claim(order.purchase, now, now - self._undelivered_ttl)",
        "payment = None\n"
        "        order.purchase = replace(order.purchase, key=self._entropy.token(8).hex())",
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
        "        if self._clock.now() > payment.authorization.expires_at:  # type: ignore[union-attr]\n"
        '            return Dead(Proof("expired"))\n'
        "        findings = [",
        (f"{MONEY_PATH}::test_local_clock_voids_nothing",),
    ),
    Mutant(
        "takes a failed read for absence",
        "sidecar/payments/prover.py",
        "            return Unknown(fault.diagnostics())",
        '            return Dead(Proof("expired"))',
        (f"{MONEY_PATH}::test_failed_read_voids_nothing",),
    ),
    Mutant(
        "writes down after sending",
        "sidecar/payments/payer.py",
        "        await self._ledger.authorize(payment.id, authorization, now)\n        return replace(",
        "        early = replace(payment, authorization=authorization)\n"
        "        await order.route.upstream.send(\n"
        "            order.request.with_headers(\n"
        "                payment_header(early.envelope, order.route.signer.sign(authorization))\n"
        "            ),\n"
        "            wait_s=1,\n"
        "        )\n"
        "        await self._ledger.authorize(payment.id, authorization, now)\n        return replace(",
        (CRASH,),
    ),
    Mutant(
        "marks delivered before the last byte",
        "sidecar/proxy/delivery.py",
        "        complete = False\n        try:\n            complete = await self._stream(",
        "        complete = True\n        try:\n            await self._stream(",
        ("tests/e2e/test_faults.py",),
    ),
)
