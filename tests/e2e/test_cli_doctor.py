"""``sidecar doctor``: what works, what does not, and what to do; by whatever fails worst."""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from sidecar.money import Usdc
from sidecar.sandbox import SandboxOptions
from tests.e2e.shell import ADDRESS, handling, sidecar, write_config
from tests.e2e.typed import Typist, begun, counted, run, typed
from tests.unit.cli.commands import Ran
from tests.unit.cli.rows import write_ledger
from tests.world.market import market

BASE_SEPOLIA = 84532

Told: TypeAlias = tuple[int, dict[str, tuple[str, str, str]]]
Look: TypeAlias = Callable[..., Told]
Run: TypeAlias = Callable[..., Ran]


__all__ = ["run", "typed"]  # fixtures


@contextmanager
def place(
    chain_id: int = BASE_SEPOLIA, held: int = 5_000_000, late_s: float = 0, date_off_s: float = 0
) -> Iterator[str]:
    """An upstream that has an RPC endpoint beside it: its URL."""

    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            assert None is self.headers["Authorization"]
            self._answer(404, b"")

        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            made_at = int(datetime.now(UTC).timestamp() - late_s)
            result: Any = {
                "eth_chainId": hex(chain_id),
                "eth_getBlockByNumber": {"number": "0x10", "timestamp": hex(made_at)},
                "eth_call": f"0x{held:064x}",
            }[asked["method"]]
            answer = {"jsonrpc": "2.0", "id": asked["id"], "result": result}
            self._answer(200, json.dumps(answer).encode())

        def _answer(self, status: int, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def date_time_string(self, timestamp: float | None = None) -> str:
            told = datetime.now(UTC) + timedelta(seconds=date_off_s)
            return format_datetime(told, usegmt=True)

        def log_message(self, format: str, *args: object) -> None:
            pass

    with handling(Handler) as address:
        yield f"http://{address}"


def free_ports(text: str) -> str:
    """Ports that the system chooses, so that tests beside this one do not matter."""
    return f"listen: 127.0.0.1:0\nadmin: 127.0.0.1:0\n{text}"


def written(home: Path, url: str, change: Callable[[str], str]) -> None:
    """A config with this upstream, and its endpoint."""
    path = write_config(home, rpc=f"{url}/rpc", upstream=url)
    path.write_text(change(path.read_text()))


def read(status: int, out: str) -> Told:
    """The exit status, and of each check its state, its words and the fix."""
    told = json.loads(out)
    assert told["status"] == status
    rows = {row["check"]: (row["state"], row["detail"], row["fix"]) for row in told["checks"]}
    assert [] == [row for row in rows.values() if row[0] != "ok" and not row[2]]
    return status, rows


@pytest.fixture
def look(tmp_path: Path, run: Run) -> Look:
    """The doctor, in this process, with a config for this URL."""

    def looked(url: str, change: Callable[[str], str] = free_ports) -> Told:
        written(tmp_path, url, change)
        ran = run("doctor", "--json")
        assert ran.out, ran.err
        return read(ran.status, ran.out)

    return looked


def in_environment(
    home: Path, url: str, change: Callable[[str], str] = free_ports, **environ: str
) -> Told:
    """The same in a process with these variables."""
    written(home, url, change)
    ran = sidecar(home, "doctor", "--json", environ=environ)
    assert ran.stdout, ran.stderr
    return read(ran.returncode, ran.stdout)


def test_well(tmp_path: Path, look: Look) -> None:
    """Where all is well, every check is, and the status is 0; nothing is made."""
    with place() as url:
        status, rows = look(url)

    assert (0, set()) == (status, {name for name, row in rows.items() if row[0] == "fail"})
    assert {
        *("wallet main", "state folder", "ledger", "disk", "listen", "admin"),
        *("upstream seller", "RPC Base Sepolia", "clock", "main on Base Sepolia"),
    } <= rows.keys()
    assert ("ok", ADDRESS) == rows["wallet main"][:2]
    assert ("ok", "5.00 USDC") == rows["main on Base Sepolia"][:2]
    assert ["evm.key", "sidecar.yaml"] == sorted(each.name for each in tmp_path.iterdir())


def test_another_chain(look: Look) -> None:
    """An endpoint of another chain fails, is never "ok", and names both: 5."""
    with place(chain_id=1) as url:
        status, rows = look(url)

    state, detail, fix = rows["RPC Base Sepolia"]
    assert (5, "fail", "name an endpoint of that chain") == (status, state, fix)
    assert detail.endswith("is of eip155:1, and stands under eip155:84532")
    assert "warn" == rows["main on Base Sepolia"][0]


def test_no_money(look: Look) -> None:
    """An empty wallet fails, and the fix says what to send where: 4."""
    with place(held=0) as url:
        status, rows = look(url)

    assert (
        4,
        (
            "fail",
            "0.00 USDC, and one payment may be of 0.05 USDC",
            f"send USDC to {ADDRESS} on Base Sepolia (eip155:84532)",
        ),
    ) == (status, rows["main on Base Sepolia"])


@pytest.mark.parametrize(
    ("held", "state", "words"),
    [
        (10_000, "warn", "0.01 USDC, and one payment may be of 0.05 USDC"),
        (60_000, "ok", "0.06 USDC; less than what is allowed by budget day"),
    ],
)
def test_little_money(look: Look, held: int, state: str, words: str) -> None:
    """A wallet with less than one payment is warned of; with less than a budget, it is told."""
    with place(held=held) as url:
        status, rows = look(url)

    assert (0, (state, words)) == (status, rows["main on Base Sepolia"][:2])


def test_late_chain(look: Look) -> None:
    """An endpoint that lags behind is told: 7; while the upstream's clock agrees with ours."""
    with place(late_s=100) as url:
        status, rows = look(url)

    assert (7, "fail") == (status, rows["RPC Base Sepolia"][0])
    assert "behind our clock; nothing is signed" in rows["RPC Base Sepolia"][1]


def test_clock(look: Look) -> None:
    """A clock that is an hour off from all others is to be set."""
    with place(late_s=3600, date_off_s=-3600) as url:
        status, rows = look(url)

    assert (7, "fail", "set it (NTP)") == (status, rows["clock"][0], rows["clock"][2])
    assert re.match(r"36\d\d s ahead of 2 others: what is signed cannot settle", rows["clock"][1])


def test_unreachable(look: Look) -> None:
    """What cannot be reached is named with what to do: 7."""
    status, rows = look("http://127.0.0.1:1")

    assert (7, "fail", "fail") == (
        status,
        rows["upstream seller"][0],
        rows["RPC Base Sepolia"][0],
    )
    assert ("warn", "nobody told the time") == rows["clock"][:2]


def test_open_key(tmp_path: Path, look: Look, run: Run) -> None:
    """A key that others may read fails, with the command that mends it: 6."""
    with place() as url:
        look(url)
        (tmp_path / "evm.key").chmod(0o644)
        ran = run("doctor", "--json")

    (row,) = (row for row in json.loads(ran.out)["checks"] if row["check"] == "wallet main")
    assert (6, "fail") == (ran.status, row["state"])
    assert f"chmod 600 {tmp_path}/evm.key" in row["fix"]


def test_taken_port(look: Look) -> None:
    """A port that somebody else has is named with its holder: 2."""
    with place() as url, socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        status, rows = look(
            url, lambda text: f"listen: 127.0.0.1:{port}\nadmin: 127.0.0.1:0\n{text}"
        )

    state, detail, fix = rows["listen"]
    assert (2, "fail") == (status, state)
    assert detail.startswith(f"127.0.0.1:{port} is taken by pid ")
    assert "stop what holds it" in fix


def test_proxies(tmp_path: Path) -> None:
    """The proxy that apps would look for the sidecar behind is warned of, without its password."""
    with place() as url:
        status, rows = in_environment(tmp_path, url, HTTP_PROXY="http://me:secret@127.0.0.1:3128")
        _, exempt = in_environment(
            tmp_path, url, HTTP_PROXY="http://127.0.0.1:3128", NO_PROXY="127.0.0.1,localhost"
        )

    assert (0, "warn", "give apps NO_PROXY=127.0.0.1,localhost") == (
        status,
        rows["environment"][0],
        rows["environment"][2],
    )
    assert "secret" not in str(rows)
    assert "environment" not in exempt


def test_proxy_that_is_none(tmp_path: Path) -> None:
    """A proxy for https upstreams that cannot be used fails, as the start would."""

    def by_https(text: str) -> str:
        return free_ports(re.sub(r"upstream: \S+", "upstream: https://upstream.invalid", text))

    with place() as url:
        status, rows = in_environment(
            tmp_path, url, by_https, HTTPS_PROXY="ftp://a:b@x", NO_PROXY="nothing"
        )

    assert "fail" == rows["environment"][0], rows
    assert "a:b" not in str(rows)
    assert 2 <= status


def test_shadow_and_notes(look: Look) -> None:
    """What is valid and worth knowing is warned of: shadow mode, and auth that is off."""
    with place() as url:
        status, rows = look(url, lambda text: free_ports(f"mode: shadow\nauth: none\n{text}"))

    assert (0, "warn") == (status, rows["config"][0])


def test_ledger(tmp_path: Path, look: Look, run: Run) -> None:
    """A ledger is opened and written to; one that is none fails: 7. A freeze is told."""
    (tmp_path / "state").mkdir(mode=0o700)
    ledger = tmp_path / "state" / "ledger.db"
    write_ledger(ledger, "0x" + "2b" * 32)
    with place() as url:
        _, well = look(url)
        run("freeze")
        _, frozen = look(url)
        for file in ledger.parent.glob("ledger.db-*"):
            file.unlink()
        ledger.write_text("this is not a database at all, and long enough to be looked at" * 9)
        status, broken = look(url)

    assert ("ok", f"{ledger} opens, and can be written") == well["ledger"][:2]
    assert ("warn", "`sidecar unfreeze`") == (frozen["ledger"][0], frozen["ledger"][2])
    assert (7, "fail") == (status, broken["ledger"][0])


def test_open_state(tmp_path: Path, look: Look) -> None:
    """A state folder that others may write in fails, and so does a token that they may read: 2."""
    (tmp_path / "state").mkdir()
    (tmp_path / "state").chmod(0o777)
    (tmp_path / "state" / "admin.token").write_text("sk-sidecar-x")
    with place() as url:
        status, rows = look(url)

    assert (2, "fail", "fail") == (status, rows["state folder"][0], rows["admin.token"][0])
    assert rows["state folder"][2].startswith("chmod go-w ")


async def test_beside_a_running_sidecar(typed: Typist) -> None:
    """Its own ports are well, and every vendor is left alone, unless a person allows sign-ins."""
    async with market(typed.folder) as there:
        start = await begun(there)
        bare = await typed(there, "doctor", "--json")
        unsigned = await counted(there)
        signed_in = await typed(there, "doctor", "--sign-in", "--json")
        after = await counted(there)
        payments = await there.payments()

    rows = {row["check"]: row for row in json.loads(bare.out)["checks"]}
    asked = {row["check"]: row for row in json.loads(signed_in.out)["checks"]}
    # The sandbox gives money on Solana to who has paid there once.
    assert (4, 4) == (bare.status, signed_in.status), bare.out
    assert ["sol on Solana Devnet"] == [
        name for name, row in rows.items() if row["state"] == "fail"
    ]
    assert rows["listen"]["detail"].startswith("127.0.0.1:")
    assert " is served" in rows["listen"]["detail"]
    assert "not asked: it wants a sign-in" in rows["credit venice"]["detail"]
    assert (start, ()) == (unsigned, payments)
    # Two chains at each of two vendors; nothing was bought for it.
    assert (0, 0, start[2] + 4) == after
    assert "usd" in asked["credit venice"]["detail"]
    assert "ok" == asked["credit venice-key"]["state"]


async def test_empty_wallet_with_credit(typed: Typist) -> None:
    """An empty wallet fails where a route pays by request; for credit alone it is a warning."""

    def prepaid(text: str) -> str:
        head, _, routes = text.partition("routes:\n")
        return head + "routes:\n" + routes.partition("  venice-sol:")[0]

    async with market(typed.folder, SandboxOptions(starting_balance=Usdc(0))) as there:
        alone = await typed(there, "doctor", "--json", change=prepaid)
        all_of_them = await typed(there, "doctor", "--json")

    row = {row["check"]: row for row in json.loads(alone.out)["checks"]}
    assert (0, "warn") == (alone.status, row["main on Base Sepolia"]["state"])
    assert 4 == all_of_them.status


def test_table(tmp_path: Path) -> None:
    """Off a terminal it is tab-separated lines, and a summary on stderr."""
    with place() as url:
        written(tmp_path, url, free_ports)
        ran = sidecar(tmp_path, "doctor")

    assert "STATE\tCHECK\tDETAIL" == ran.stdout.splitlines()[0]
    assert f"ok\twallet main\t{ADDRESS}" in ran.stdout.splitlines()
    assert re.fullmatch(r"sidecar: \d+ ok, \d+ to look at, 0 to mend\n", ran.stderr)


def test_hidden_key(tmp_path: Path, look: Look, run: Run) -> None:
    """Of an endpoint's URL only the origin is shown, whatever is wrong: the rest may be a key."""
    shown = []
    for chain_id, late_s in ((BASE_SEPOLIA, 0), (1, 0), (BASE_SEPOLIA, 100)):
        with place(chain_id, late_s=late_s) as url:
            _, rows = look(url)
            path = tmp_path / "sidecar.yaml"
            path.write_text(path.read_text().replace("/rpc", "/v2/my-secret-key"))
            ran = run("doctor")
            shown.append(ran.out + ran.err)
        assert "RPC Base Sepolia" in rows

    assert [] == [text for text in shown if "my-secret-key" in text]
