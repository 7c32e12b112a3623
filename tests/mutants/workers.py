"""Bugs of several workers: what they share, what one does for all, and what outlives each."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

WARDEN = "tests/unit/service/test_warden.py"
OFFICE = "tests/unit/service/test_warden_office.py"
MERGED = "tests/unit/test_metrics_merged.py"
DOORS = "tests/unit/service/test_shared_doors.py"
WORKERS = "tests/e2e/test_workers.py"
KEEPS = "sidecar/service/warden.py"

SEVERAL_WORKERS = (
    Mutant(
        "forgets what a dead worker counted",
        "sidecar/metrics/merged.py",
        "            self._gone[key] = _sum(self._gone.get(key), value)\n",
        "            pass\n",
        (f"{MERGED}::test_the_dead_count",),
    ),
    Mutant(
        "counts a dead worker for ever, and its successor not at all",
        "sidecar/metrics/merged.py",
        "        gone = self._workers.pop(worker, None)\n",
        "        gone = self._workers.get(worker)\n",
        (f"{MERGED}::test_the_dead_count",),
    ),
    Mutant(
        "adds up what all workers read from one ledger",
        "sidecar/metrics/merged.py",
        "        return numbers.get(lead)\n",
        "        return sum(numbers.values())\n",
        (f"{MERGED}::test_what_all_share",),
    ),
    Mutant(
        "shows the balance that was read longest ago",
        "sidecar/metrics/merged.py",
        "numbers[min(numbers, key=lambda",
        "numbers[max(numbers, key=lambda",
        (f"{MERGED}::test_newest_balance",),
    ),
    Mutant(
        "has those who can go by a config that one cannot",
        KEEPS,
        "        if mistakes:\n            raise ConfigError(*mistakes)\n",
        "",
        (f"{WARDEN}::test_one_cannot",),
    ),
    Mutant(
        "goes on without a worker that does not answer",
        KEEPS,
        "        if None in prepared:\n",
        "        if False:\n",
        (f"{WARDEN}::test_silent",),
    ),
    Mutant(
        "lets a worker serve by the old config",
        KEEPS,
        "                each.kill()\n        return ConfigReloaded",
        "                pass\n        return ConfigReloaded",
        (f"{WARDEN}::test_too_late",),
    ),
    Mutant(
        "starts a successor by a config that nobody else goes by",
        KEEPS,
        "        self._text, self.config = text, config\n",
        "        self.config = config\n",
        (f"{WARDEN}::test_too_late",),
    ),
    Mutant(
        "starts a successor by what the file says now",
        KEEPS,
        "first_words(str(place + 1), self._text, ",
        "first_words(str(place + 1), self._source.text(), ",
        (f"{WARDEN}::test_started_by_what_holds",),
    ),
    Mutant(
        "has nobody make the rounds once the leader is dead",
        KEEPS,
        "            self.lead = next(iter(self.serving), None)\n",
        "            pass\n",
        (f"{WARDEN}::test_leader_dies",),
    ),
    Mutant(
        "lets every worker lead",
        KEEPS,
        "        leads = self.lead is None\n",
        "        leads = True\n",
        (f"{WARDEN}::test_first_words",),
    ),
    Mutant(
        "leaves what a dead worker had in hand",
        KEEPS,
        '            self.lead.tell("lead")\n',
        "            pass\n",
        (f"{WARDEN}::test_another_dies",),
    ),
    Mutant(
        "starts one that dies at once as fast as it can",
        KEEPS,
        "    return 0.0 if deaths <= 1 else ",
        "    return 0.0 if deaths >= 1 else ",
        (f"{WARDEN}::test_dies_again",),
    ),
    Mutant(
        "lets apps wait at the door of one that dies at once",
        KEEPS,
        "                self._berths.shut(place)\n",
        "                pass\n",
        (f"{WARDEN}::test_dies_again",),
    ),
    Mutant(
        "starts a worker again that was told to end",
        KEEPS,
        "                if self.stopping.is_set():\n                    return\n",
        "",
        (f"{WARDEN}::test_end",),
    ),
    Mutant(
        "waits for ever for one that does not end",
        KEEPS,
        "        except TimeoutError:\n            kept.kill()\n            return await kept.ended()\n",
        "        except TimeoutError:\n            return 0\n",
        (f"{WARDEN}::test_who_does_not_end",),
    ),
    Mutant(
        "ends well although a worker did not",
        KEEPS,
        "            self._status = await end or self._status\n",
        "            await end\n",
        (f"{WARDEN}::test_who_does_not_end",),
    ),
    Mutant(
        "is ready while one is not",
        "sidecar/service/warden_office.py",
        "        if len(answers) < wanted:\n",
        "        if not answers:\n",
        (f"{OFFICE}::test_ready",),
    ),
    Mutant(
        "is well while one hangs",
        "sidecar/service/warden_office.py",
        "        return 0 < len(kept) == len(answers)\n",
        "        return 0 < len(answers)\n",
        (f"{OFFICE}::test_well",),
    ),
    Mutant(
        "has everybody do what one is to do",
        "sidecar/service/warden_office.py",
        '            said = await lead.ask("switch", path, wait_s=SWITCH_WAIT_S)\n',
        '            said = [await each.ask("switch", path, wait_s=1) for each in self._warden.serving][0]\n',
        (f"{OFFICE}::test_switch",),
    ),
    Mutant(
        "shares a port with whoever asks",
        "sidecar/service/shared_doors.py",
        "    with _bound(family, place, shares=False) as probe:\n",
        "    with _bound(family, place, shares=True) as probe:\n",
        (f"{DOORS}::test_dealt_out",),
    ),
    Mutant(
        "gives every worker all of the memory",
        "sidecar/service/wiring.py",
        "limits.replay_memory_max // config.workers)",
        "limits.replay_memory_max)",
        ("tests/unit/service/test_wiring_workers.py::test_memory",),
    ),
    Mutant(
        "sends a vendor more than it takes, by as many workers",
        "sidecar/service/wiring.py",
        "        share = in_flight_max // self._config.workers\n",
        "        share = in_flight_max\n",
        ("tests/unit/service/test_wiring_workers.py::test_turns",),
    ),
    Mutant(
        "keeps a payment that nobody here waits for from the retry elsewhere",
        "sidecar/payments/purchases.py",
        "            if self._are_shared and order.presented is not None:\n",
        "            if False:\n",
        ("tests/unit/payments/test_purchases.py::test_deserted_is_let_go_of",),
    ),
    Mutant(
        "leaves a payment to others that somebody here waits for again",
        "sidecar/payments/purchases.py",
        "            if joins and self._are_shared:\n",
        "            if False:\n",
        ("tests/unit/payments/test_purchases.py::test_deserted_is_let_go_of",),
    ),
    Mutant(
        "presents for nobody what it keeps from the retry elsewhere",
        "sidecar/payments/payer.py",
        "        if order.deserted and order.is_shared:\n            # Its app may ask",
        "        if False:\n            # Its app may ask",
        ("tests/unit/payments/test_payer.py::test_left_while_it_was_written_down",),
    ),
    Mutant(
        "keeps what it found in place of what it had left",
        "sidecar/payments/holds.py",
        "            await self.release(found.id)\n",
        "            pass\n",
        ("tests/unit/payments/test_holds.py::test_another_one_of_the_purchase",),
    ),
    Mutant(
        "takes a signal to the group for one to itself",
        "sidecar/service/worker.py",
        "        signal.signal(number, signal.SIG_IGN)\n",
        "        pass\n",
        (f"{WORKERS}::test_group_is_signalled",),
    ),
    Mutant(
        "outlives who keeps it",
        "sidecar/service/worker.py",
        "        hearing.add_done_callback(lambda _: self._stop.set())\n",
        "",
        (f"{WORKERS}::test_warden_is_killed",),
    ),
    Mutant(
        "signs by a clock that nobody has measured",
        "sidecar/service/loops.py",
        '            self._measuring = tasks.spawn("clocks", self._measure())\n',
        "            pass\n",
        ("tests/flows/test_workers.py::test_every_worker_measures",),
    ),
)
