"""Bugs of the signer, and of the sidecar that has one sign for it."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

WIRED = "tests/e2e/test_signer_wired.py"
DESK = "tests/unit/signer/test_signer.py"
JOURNAL = "tests/unit/signer/test_journal.py"
REMOTE = "tests/unit/wallets/test_remote.py"
DOOR = "tests/unit/signer/test_door.py"

SIGNER = (
    Mutant(
        "writes down before the signer has admitted",
        "sidecar/payments/payer.py",
        "                denied = await order.route.signer.admit(authorization)\n",
        "",
        (f"{WIRED}::test_window", f"{WIRED}::test_refused"),
    ),
    Mutant(
        "believes a signer that refuses what is written down",
        "sidecar/payments/payer.py",
        "            return await self._unserved(order, payment, fault.diagnostics(), False, None)\n",
        "            await self._drop(payment)\n"
        "            return Denied('signer_refused', fault.diagnostics())\n",
        (f"{WIRED}::test_tighter_rules_after_the_writing_down",),
    ),
    Mutant(
        "takes silence for admission",
        "sidecar/wallets/remote.py",
        "        except SignerRefusedError as fault:\n",
        "        except WalletError as fault:\n"
        "            if not isinstance(fault, SignerRefusedError):\n"
        "                return None\n",
        (f"{WIRED}::test_killed_and_restarted",),
    ),
    Mutant(
        "takes a refusal for admission",
        "sidecar/wallets/remote.py",
        '            return Denied("signer_refused", fault.diagnostics())\n',
        "            return None\n",
        (f"{REMOTE}::test_admit",),
    ),
    Mutant(
        "waits for the signer on the loop",
        "sidecar/wallets/remote.py",
        "await self._line.answer(_about(ADMIT, authorization))",
        "self._line.ask(_about(ADMIT, authorization))",
        (f"{WIRED}::test_hung",),
    ),
    Mutant(
        "waits again and again for who was silent",
        "sidecar/signer/line.py",
        "            self._silent_until_s = self._clock.monotonic_s() + SILENCE_S\n",
        "            self._silent_until_s = self._clock.monotonic_s()\n",
        (f"{DOOR}::test_silent_once",),
    ),
    Mutant(
        "crowds the signer's door",
        "sidecar/signer/line.py",
        "async with asyncio.timeout(self._wait_s), self._turn:",
        "async with asyncio.timeout(self._wait_s):",
        (f"{DOOR}::test_in_turn",),
    ),
    Mutant(
        "signs what is asked to be admitted",
        "sidecar/signer/signer.py",
        "                    return self._refusal(authorization) or {}\n",
        "                    return self._refusal(authorization) or self._wallet.sign(authorization)\n",
        (f"{DESK}::test_admitted",),
    ),
    Mutant(
        "admits without keeping room",
        "sidecar/signer/signer.py",
        "                    return self._refusal(authorization) or {}\n",
        "                    return self._rules.refusal(order_of(authorization)) or {}\n",
        (f"{DESK}::test_admitted",),
    ),
    Mutant(
        "counts what was admitted again when it signs",
        "sidecar/signer/signer.py",
        "        if known == digest:\n",
        "        if False:\n",
        (f"{DESK}::test_admitted",),
    ),
    Mutant(
        "drops from the journal what a window needs",
        "sidecar/signer/journal.py",
        "dropwhile(lambda entry: entry.at <= since, self.entries)",
        "dropwhile(lambda entry: entry.at <= since + SPAN_MAX / 2, self.entries)",
        (f"{JOURNAL}::test_compacted",),
    ),
    Mutant(
        "drops what is old behind what is not",
        "sidecar/signer/journal.py",
        "tuple(dropwhile(lambda entry: entry.at <= since, self.entries))",
        "tuple(entry for entry in self.entries if entry.at > since)",
        (f"{JOURNAL}::test_compacted_with_time_set_back",),
    ),
    Mutant(
        "goes on in a journal that has no name any more",
        "sidecar/signer/journal.py",
        "        if not os.path.samestat(os.fstat(descriptor), path.stat()):\n",
        "        if False:\n",
        (f"{JOURNAL}::test_renamed_before_the_lock",),
    ),
    Mutant(
        "leaves the new journal unlocked",
        "sidecar/signer/journal.py",
        "            # Before it has the name: whoever opens it by that finds it locked.\n"
        "            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)\n",
        "",
        (f"{JOURNAL}::test_compacted",),
    ),
    Mutant(
        "has any signer's key for the wallet's kind",
        "sidecar/signer/line.py",
        "    if wallet.kind != kind:\n",
        "    if False:\n",
        (f"{DOOR}::test_wallet_at",),
    ),
    Mutant(
        "draws x402layer's transactions up with a memo",
        "sidecar/wallets/remote.py",
        "        return RemoteWallet(self._account.with_layout(layout), self._line)\n",
        "        return self\n",
        (f"{REMOTE}::test_layout", f"{WIRED}::test_bare_layout"),
    ),
)
