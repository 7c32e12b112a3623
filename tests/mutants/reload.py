"""Bugs of the reload and of the end."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

RELOAD = "tests/e2e/test_reload.py"
MONEY = "tests/flows/test_reload.py"
DRAIN = "tests/e2e/test_drain.py"
SERVICE = "sidecar/service/service.py"

RELOADS = (
    Mutant(
        "swaps before it has looked at everything",
        "sidecar/service/reread.py",
        "        renewed = reopen(config, opened, self.environ, self.entropy, stuck)\n",
        "        renewed = reopen(config, opened, self.environ, self.entropy)\n",
        (f"{RELOAD}::test_what_needs_a_restart",),
    ),
    Mutant(
        "takes the routes of a config that is refused",
        "sidecar/service/wiring.py",
        "        if mistakes:\n            raise ConfigError(*mistakes)\n        default",
        "        default",
        (f"{MONEY}::test_nothing_of_a_bad_config",),
    ),
    Mutant(
        "lets the fast lane go by what it remembers",
        SERVICE,
        "            self._express.change(wired.table, limits, wired.handler.attend)\n",
        "            pass\n",
        (f"{RELOAD}::test_token_is_rotated", f"{RELOAD}::test_routes_come_and_go"),
    ),
    Mutant(
        "keeps the old tokens at the door",
        SERVICE,
        "        self._wired, self._config, self._opened = wired, config, opened\n"
        "        self._gate = wiring.build_gate(config, opened, self._data.port)\n",
        "        self._wired, self._config, self._opened = wired, config, opened\n",
        (f"{RELOAD}::test_token_is_rotated",),
    ),
    Mutant(
        "keeps a contact whose key was changed",
        "sidecar/service/contacts.py",
        "    return vendors_part, opened.api_keys.get(route.name)\n",
        "    return vendors_part, None\n",
        (f"{RELOAD}::test_api_key_is_rotated",),
    ),
    Mutant(
        "reaches every vendor anew",
        "sidecar/service/contacts.py",
        "        budgets=bare.budgets,\n",
        "",
        (f"{MONEY}::test_sign_in_is_kept",),
    ),
    Mutant(
        "forgets which payments are under way",
        "sidecar/service/wired.py",
        "        lasting.purchases,\n",
        "        Purchases(lasting.payer, tasks),\n",
        (f"{MONEY}::test_retry_binds_over_a_reload",),
    ),
    Mutant(
        "forgets which top-ups are to be proved",
        "sidecar/service/wired.py",
        "        standing=lasting.standing,\n",
        "        standing=Standing(),\n",
        (f"{MONEY}::test_top_up_is_completed",),
    ),
    Mutant(
        "gives each config turns of its own",
        "sidecar/service/wired.py",
        "before.contacts, lasting.slots)",
        "before.contacts)",
        (f"{MONEY}::test_turns_are_shared",),
    ),
    Mutant(
        "lets wallets ask the endpoints of before",
        SERVICE,
        "        opened.rpc_urls.update(first_rpc_urls(config))\n",
        "        opened.rpc_urls.update(first_rpc_urls(before.config))\n",
        (f"{MONEY}::test_another_chain_endpoint",),
    ),
    Mutant(
        "begins to count anew",
        "sidecar/metrics/tally.py",
        "            if labels not in self.requests:\n",
        "            if labels:\n",
        (f"{RELOAD}::test_counts_stay",),
    ),
    Mutant(
        "counts what is new as other",
        SERVICE,
        "        self._metrics.learn(*wiring.names(config, opened))\n",
        "        self._metrics.learn(*wiring.names(before.config, before.opened))\n",
        (f"{RELOAD}::test_counts_stay",),
    ),
    Mutant(
        "forgets the skew that was measured",
        "sidecar/payments/prover.py",
        "fresh | kept",
        "kept | fresh",
        ("tests/unit/payments/test_prover.py::test_another_config",),
    ),
    Mutant(
        "signs while it stops",
        SERVICE,
        '            return Denied("draining", "the sidecar is stopping; nothing new is signed")\n',
        "            pass\n",
        (f"{DRAIN}::test_sigterm_under_load",),
    ),
    Mutant(
        "is ready until it has ended",
        "sidecar/service/view.py",
        '"the sidecar is stopping" if self._is_draining() else None',
        "None",
        (f"{DRAIN}::test_sigterm_under_load",),
    ),
    Mutant(
        "cuts what has not ended yet",
        SERVICE,
        "            await self._patiently(wait_s, self._data.drain())\n",
        "",
        (f"{DRAIN}::test_sigterm_under_load",),
    ),
    Mutant(
        "ends what it cuts as if it were whole",
        "sidecar/proxy/relay.py",
        '            transport.get_extra_info("socket").setsockopt(SOL_SOCKET, SO_LINGER, _RESET)\n',
        "",
        (f"{DRAIN}::test_cut_without_chunks",),
    ),
    Mutant(
        "takes its own end for the app's on the lane",
        "sidecar/proxy/boarding.py",
        "self.is_cut = True",
        "self.is_cut = False",
        (f"{DRAIN}::test_cut_at_the_limit[true]",),
    ),
    Mutant(
        "takes its own end for the app's where a handler answers on the lane",
        "sidecar/proxy/turn.py",
        "return isinstance(request, Attended) and request.protocol.is_cut",
        "return False",
        (f"{DRAIN}::test_cut_and_paid[true]",),
    ),
    Mutant(
        "waits for idle connections",
        "sidecar/proxy/listener.py",
        "            self._server.pre_shutdown()\n",
        "",
        (f"{DRAIN}::test_idle_connections",),
    ),
    Mutant(
        "leaves idle connections open while others are busy",
        "sidecar/proxy/listener.py",
        "    connection.force_close()\n",
        "    pass\n",
        ("tests/e2e/test_fast_lane_flow.py::test_graceful_stop",),
    ),
    Mutant(
        "does not hear who asks twice",
        "sidecar/service/signals.py",
        "            self.on_hurry()\n",
        "            pass\n",
        (f"{DRAIN}::test_second_signal",),
    ),
)
