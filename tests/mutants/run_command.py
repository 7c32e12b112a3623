"""Bugs of ``sidecar run -- CMD``, its receipt, and ``sidecar init``."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

RUN = "tests/e2e/test_run_command.py"
SIGNALS = "tests/e2e/test_run_signals.py"
INIT = "tests/e2e/test_init.py"
RECEIPT = "tests/unit/cli/test_receipt.py"
UNIT = "tests/unit/cli/test_run.py"
STARTER = "tests/unit/cli/test_init.py"

RUN_COMMAND = (
    Mutant(
        "keeps the command's status to itself",
        "sidecar/cli/child.py",
        "        return status if status >= 0 else SIGNALLED - status\n",
        "        return 0\n",
        (f"{RUN}::test_status[failed]",),
    ),
    Mutant(
        "says a signal as a number below zero",
        "sidecar/cli/child.py",
        "        return status if status >= 0 else SIGNALLED - status\n",
        "        return status\n",
        (f"{RUN}::test_status[killed]",),
    ),
    Mutant(
        "hands its secrets to the command",
        "sidecar/cli/environment.py",
        "        if name not in withheld and name not in _RIVALS\n",
        "        if name not in _RIVALS\n",
        (f"{RUN}::test_secrets_stay_here", f"{UNIT}::test_environment"),
    ),
    Mutant(
        "leaves another vendor's token beside ours",
        "sidecar/cli/environment.py",
        "        if name not in withheld and name not in _RIVALS\n",
        "        if name not in withheld\n",
        (f"{UNIT}::test_environment",),
    ),
    Mutant(
        "does not apply the run's budget",
        "sidecar/cli/job.py",
        "replace(route, budgets=(*route.budgets, *own))",
        "route",
        (f"{RUN}::test_budget_of_a_run",),
    ),
    Mutant(
        "puts the run's budget in the place of the route's",
        "sidecar/cli/job.py",
        "budgets=(*route.budgets, *own))",
        "budgets=own or route.budgets)",
        (f"{RUN}::test_budget_of_a_run",),
    ),
    Mutant(
        "has one budget for all runs",
        "sidecar/cli/job.py",
        'name = f"run-{started_at:%Y%m%dT%H%M%S}-{ports.entropy.token(NAME_BYTES).hex()}"',
        'name = "run"',
        (f"{RUN}::test_budget_of_a_run",),
    ),
    Mutant(
        "counts what other processes paid",
        "sidecar/ledger/sqlite_lists.py",
        '"SELECT * FROM payments WHERE owner = ? ORDER BY seq"',
        '"SELECT * FROM payments WHERE owner = ? OR 1 ORDER BY seq"',
        (f"{RUN}::test_two_at_once",),
    ),
    Mutant(
        "counts what was voided as spent",
        "sidecar/cli/receipt.py",
        "if payment.state is PaymentState.POSTED]",
        "if payment.state in {PaymentState.POSTED, PaymentState.VOIDED}]",
        (f"{RECEIPT}::test_money",),
    ),
    Mutant(
        "counts what is in doubt as spent",
        "sidecar/cli/receipt.py",
        "if payment.state is PaymentState.POSTED]",
        "if payment.state in {PaymentState.POSTED, PaymentState.AUTHORIZED}]",
        (f"{RECEIPT}::test_money",),
    ),
    Mutant(
        "takes a rehearsal for a refusal",
        "sidecar/cli/receipt.py",
        "event.decision in REFUSED and event.rule != REHEARSED",
        "event.decision in REFUSED",
        (f"{RUN}::test_shadow",),
    ),
    Mutant(
        "leaves a deaf command running",
        "sidecar/cli/child.py",
        "self._kill = self._loop.call_later(self._kill_after_s, self._process.kill)",
        "self._kill = self._loop.call_later(self._kill_after_s, self._loop.stop)",
        (f"{SIGNALS}::test_deaf_to_sigterm",),
    ),
    Mutant(
        "does not tell the command of SIGTERM",
        "sidecar/cli/child.py",
        "            self._process.send_signal(number)\n",
        "            pass\n",
        (f"{SIGNALS}::test_signals[SIGTERM]",),
    ),
    Mutant(
        "tells the command twice of what is typed",
        "sidecar/cli/child.py",
        "        elif number not in TYPED or not _shares_terminal():\n",
        "        else:\n",
        (f"{SIGNALS}::test_typed_for_others",),
    ),
    Mutant(
        "lets any token of the config's in",
        "sidecar/cli/job.py",
        "callers=MappingProxyType({CALLER: CallerConfig(CALLER, token)})",
        "callers=MappingProxyType({})",
        (f"{RUN}::test_each_run_has_its_own_token",),
    ),
    Mutant(
        "takes the ports of the config for a run",
        "sidecar/cli/job.py",
        "listen=ANY_PORT if args.listen is None else written.listen",
        "listen=written.listen",
        (f"{RUN}::test_two_at_once",),
    ),
    Mutant(
        "puts play money into the real books",
        "sidecar/cli/starter.py",
        '        lines += ["state_dir: sidecar-sandbox ',
        '        lines += ["# state_dir: sidecar-sandbox ',
        (f"{STARTER}::test_play_money_has_books_of_its_own",),
    ),
    Mutant(
        "writes a key where there is one",
        "sidecar/cli/new_key.py",
        '    refuse_existing(path, "--key", fix)\n',
        "    path.unlink(missing_ok=True)\n",
        (f"{INIT}::test_never_replaces[evm.key]",),
    ),
    Mutant(
        "writes a cap over the day's budget",
        "sidecar/cli/init.py",
        "        if amount > budget:\n",
        "        if False:\n",
        (f"{INIT}::test_wrong[cap]",),
    ),
)
