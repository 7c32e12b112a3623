"""The errands of the day: what is asked of the sidecar, so that all of it prints."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Awaitable, Iterator, Sequence
from pathlib import Path

from sidecar.sandbox.faults import Fault
from tests.canary import marks
from tests.canary.drive import Haul, Town, in_turns, run, sidecar, world
from tests.canary.wires import MODES
from tests.world.running import write_private

CHAT = {"model": "sandbox-small", "messages": [{"role": "user", "content": "hi"}]}
BLOCK = "/credit/v1/ethereum/mainnet/blockchain/getBlockByHashOrNumber"
# What takes long, and says no more than the others do.
SLOW = frozenset({Fault.HUGE_402, Fault.HANG_BEFORE_SETTLE, Fault.SETTLE_THEN_STALL_STREAM})
COMMANDS: tuple[tuple[str, ...], ...] = (
    ("check",),
    ("status",),
    ("status", "--json"),
    ("payments",),
    ("payments", "--json", "--limit", "500"),
    ("payments", "--csv"),
    ("balance", "--json"),
    ("reconcile", "--json"),
    ("pins",),
    ("pins", "--json"),
    ("pins", "forget", "seller"),
    ("freeze",),
    ("unfreeze",),
)
# Each of these opens every wallet, a keystore too, and says in other words what is said above.
if os.environ.get("SIDECAR_CANARY_LONG"):
    COMMANDS += (("check", "--json"), ("balance",), ("reconcile",), ("wallet", "address"))
BUGS = ("locals", "words", "cause", "group", "logging")


async def spend_a_day(folder: Path) -> Haul:
    """All of it, in ``folder``."""
    haul = Haul()
    known = frozenset(value for secret in marks.SECRETS for value in secret.values)
    async with world(folder, haul) as town:
        config = folder / "sidecar.yaml"
        async with sidecar(town, "-m", "sidecar", "run", "--config", config):
            await in_turns(_calls(town))
            await in_turns(_refused(town))
            await _admin(town)
            await run(town, _jobs(town, config))
            # It is told to end while this one is being paid.
            hung = asyncio.ensure_future(
                town.call("/parrot-pay/v1/paid-silent", CHAT, route="parrot-pay")
            )
            await asyncio.sleep(0.3)
        with contextlib.suppress(OSError):
            await hung
        module = ("-m", "tests.canary.faulty_sidecar")
        async with sidecar(town, *module, config, folder / "report.txt"):
            await in_turns(
                town.call(f"/{route}/v1/bug-{bug}", CHAT, route=route)
                for bug in BUGS
                for route in ("parrot-key", "seller", "nodit")
            )
        for wire in town.wires.values():
            haul.add(f"wire to {wire.name}", b"".join(wire.heard), _wire_holds(town, wire.name))
            haul.secrets += wire.secrets(known)
    haul.secrets += marks.SECRETS
    haul.report = (folder / "report.txt").read_text()
    _files(haul, folder)
    return haul


def _calls(town: Town) -> Iterator[Awaitable[object]]:
    """Every provider, paid and streamed; every fault of a seller; everything a parrot says."""
    for route in marks.HONEST:
        target = f"/{route}/v1/chat/completions"
        if route.startswith("nodit"):
            target = f"/{route}{BLOCK}"
        for more in ({}, {"stream": True}):
            yield town.call(target, {**CHAT, **more}, route=route)
        yield town.call(f"/{route}/v1/models", route=route, method="GET")
    for fault in set(Fault) - SLOW:
        wish = {**CHAT, "model": f"fault:{fault.value}:1", "stream": "stream" in fault.value}
        yield town.call("/seller/v1/chat/completions", wish, route="seller")
    for mode in MODES:
        yield town.call(f"/parrot-key/v1/{mode}", CHAT, route="parrot-key")
        yield town.call(f"/parrot-pay/v1/paid-{mode}", CHAT, route="parrot-pay")
    for route in ("parrot-nodit", "parrot-venice"):
        yield town.call(f"/{route}/credit/v1/complaint", CHAT, route=route)
    for _ in range(3):
        yield town.call("/dead/v1/x", CHAT, route="dead")


def _refused(town: Town) -> Iterator[Awaitable[object]]:
    """Every rule at the door, and a budget that is spent."""
    wrong = marks.WRONG_TOKEN
    yield town.call("/seller/v1/x", CHAT, token=wrong)
    yield town.call(f"/seller/v1/x?api_key={wrong}", CHAT, token=wrong)
    yield town.call(f"/v1/x?api_key={wrong}", CHAT, f"Cookie: key={wrong}", token=wrong)
    yield town.call("/v1/x", CHAT, f"x-api-key: {wrong}", token="short")
    for name in ("X-Payment", "Payment-Signature", "Sign_In_With_X", "OpenAI-Organization"):
        yield town.call("/v1/x", CHAT, f"{name}: {wrong}", route="seller")
    for lines in (
        ("Origin: https://web.example",),
        ("Sec-Fetch-Site: cross-site",),
        ("Transfer-Encoding: chunked",),
        (f"Bad {wrong}: x",),
        (f"X-Bad: \0{wrong}",),
        (f"Content-Length: {wrong}",),
    ):
        yield town.call("/v1/x", CHAT, *lines, token=marks.APP_TOKEN)
    for target in ("//host/x", "/v1/../x", "http://other/x", "/v1/%2fx", "*", "/v1/x#y"):
        yield town.call(target, CHAT)
    for method in ("CONNECT", "TRACE", "NONE"):
        yield town.call("/v1/x", CHAT, method=method)
    for number in range(4):
        document = {**CHAT, "number": number}
        yield town.call(
            "/seller/v1/chat/completions", document, token=marks.ENV_TOKEN, route="seller"
        )


async def _admin(town: Town) -> None:
    """Every page, and every switch with every token."""
    for page in ("/livez", "/readyz", "/metrics", "/status", "/none", "/freeze", "/metrics?x=1"):
        await town.call(page, method="GET", admin=True)
    for token in (marks.WRONG_TOKEN, marks.APP_TOKEN, marks.ADMIN_TOKEN):
        await town.call("/freeze", token=token, admin=True)
    await town.call("/seller/v1/chat/completions", {**CHAT, "frozen": True}, route="seller")
    await town.call("/unfreeze", token=marks.ADMIN_TOKEN, admin=True)
    await town.call("/freeze", None, f"Bad {marks.ADMIN_TOKEN}: x", admin=True)


def _jobs(town: Town, config: Path) -> list[tuple[Sequence[str], str]]:
    """Every command; and keys in and out of files, right and wrong ones."""
    key, folder = marks.EVM_ENV.hex(), str(town.folder)
    write_private(town.folder / "wrong.txt", marks.WRONG_TOKEN)
    address, import_ = ("wallet", "address", "--key-file"), ("wallet", "import", "--out")
    wrong = ("--keystore", "--password-file", f"{folder}/wrong.txt")
    return [
        *(((*command, "--config", str(config)), "") for command in COMMANDS),
        ((*address, f"{folder}/evm.key"), ""),
        ((*address, f"{folder}/sol.key"), ""),
        ((*address, f"{folder}/keystore.json", *wrong), ""),
        ((*import_, f"{folder}/evm.key"), key),
        ((*import_, f"{folder}/b.key"), marks.MALFORMED),
        ((*import_, f"{folder}/c.key"), f"[{key}]"),
        ((*import_, f"{folder}/d.key", "--kind", "solana"), f"{marks.ARRAY[:-1]},7]"),
    ]


def _wire_holds(town: Town, name: str) -> frozenset[str]:
    """An upstream gets its own credential, and nobody else's."""
    return frozenset({"rpc key"}) if name == "rpc" else town.own(name)


def _files(haul: Haul, folder: Path) -> None:
    """Every byte of every file; those that may hold a secret are named, one by one."""
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            name = str(path.relative_to(folder))
            haul.add(f"file {name}", path.read_bytes(), marks.FILES.get(name, ()))
