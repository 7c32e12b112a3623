"""Calls through the sidecar beside calls direct and through a naive proxy, in one run.

    make bench

Rounds are interleaved and medians are quoted as ratios, because the machine's speed drifts. CPU
is the proxy process's own, for each request. Nothing here is a test: it asserts no time.
"""

from __future__ import annotations

import asyncio
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
ROUNDS = int(os.environ.get("ROUNDS", "5"))
REQUESTS = int(os.environ.get("REQUESTS", "3000"))
CONCURRENCY = 32
TOKEN = "sk-bench-token-0123456789"
TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")
CALL = b'{"model":"m","messages":[{"role":"user","content":"' + b"x" * 950 + b'"}]}'

CONFIG = """\
version: 1
listen: 127.0.0.1:{port}
admin: 127.0.0.1:0
state_dir: {folder}
log: {{format: json, level: info}}
callers:
  - {{name: bench, token: {{file: {folder}/app.token}}}}
routes:
  up:
    provider: api_key
    upstream: {upstream}
    default: true
    api_key: {{file: {folder}/api.key}}
"""


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def request_to(port: int) -> bytes:
    """A chat call with the headers that the OpenAI client sends."""
    head = (
        "POST /v1/chat/completions HTTP/1.1",
        f"Host: 127.0.0.1:{port}",
        "Accept-Encoding: gzip, deflate",
        "Connection: keep-alive",
        f"Authorization: Bearer {TOKEN}",
        "Accept: application/json",
        "Content-Type: application/json",
        "User-Agent: OpenAI/Python 3.52.0",
        "x-stainless-lang: python",
        "x-stainless-os: Linux",
        "x-stainless-retry-count: 0",
        "x-stainless-read-timeout: 600",
        f"Content-Length: {len(CALL)}",
    )
    return "\r\n".join(head).encode() + b"\r\n\r\n" + CALL


async def one_app(port: int, calls: int) -> None:
    """One connection, one call after the other."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    request = request_to(port)
    for _ in range(calls):
        writer.write(request)
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        assert head.startswith(b"http/1.1 200"), head
        if b"content-length:" in head:
            await reader.readexactly(int(head.split(b"content-length:")[1].split(b"\r\n")[0]))
        else:
            while (size := int(await reader.readuntil(b"\r\n"), 16)) > 0:
                await reader.readexactly(size + 2)
            await reader.readexactly(2)
    writer.close()
    await writer.wait_closed()


async def calls_a_second(port: int) -> float:
    """The rate of many apps at once."""
    began = time.perf_counter()
    await asyncio.gather(*(one_app(port, REQUESTS // CONCURRENCY) for _ in range(CONCURRENCY)))
    return REQUESTS / (time.perf_counter() - began)


async def latency_us(port: int) -> float:
    """The median of single calls would hide the tail; the mean of many hides nothing."""
    calls = max(100, REQUESTS // 10)
    began = time.perf_counter()
    await one_app(port, calls)
    return (time.perf_counter() - began) / calls * 1e6


def cpu_s(pid: int) -> float:
    """What the process has used, in seconds."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS_A_SECOND


async def ready(port: int) -> None:
    """Return when somebody listens."""
    for _ in range(500):
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            await asyncio.sleep(0.02)
            continue
        writer.close()
        return
    raise TimeoutError(f"nobody listens on {port}")


def start(*command: str) -> subprocess.Popen[bytes]:
    """A Python process in this tree, its log thrown away."""
    return subprocess.Popen(
        [sys.executable, *command], cwd=ROOT, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL
    )


async def measure(folder: Path) -> None:
    """Start all, warm up, take turns, print."""
    ports = {name: free_port() for name in ("direct", "naive", "sidecar")}
    upstream = f"http://127.0.0.1:{ports['direct']}"
    for name, text in (("app.token", TOKEN), ("api.key", "sk-upstream-key-123456")):
        (folder / name).write_text(text)
        (folder / name).chmod(0o600)
    config = folder / "sidecar.yaml"
    config.write_text(CONFIG.format(port=ports["sidecar"], folder=folder, upstream=upstream))
    running = {
        "direct": start("bench/upstream.py", str(ports["direct"])),
        "naive": start("bench/naive.py", str(ports["naive"]), upstream),
        "sidecar": start("-m", "sidecar", "run", "--config", str(config)),
    }
    try:
        for port in ports.values():
            await ready(port)
            await one_app(port, 200)
        rates: dict[str, list[float]] = {name: [] for name in ports}
        waits: dict[str, list[float]] = {name: [] for name in ports}
        cpu: dict[str, list[float]] = {name: [] for name in ports}
        for _ in range(ROUNDS):
            for name, port in ports.items():
                before = cpu_s(running[name].pid)
                rates[name].append(await calls_a_second(port))
                cpu[name].append((cpu_s(running[name].pid) - before) / REQUESTS * 1e6)
                waits[name].append(await latency_us(port))
    finally:
        for process in running.values():
            process.terminate()
            process.wait()
    show(rates, waits, cpu)


def show(
    rates: dict[str, list[float]], waits: dict[str, list[float]], cpu: dict[str, list[float]]
) -> None:
    """Medians, and what they are beside the naive proxy's."""
    naive_rate = statistics.median(rates["naive"])
    direct_us = statistics.median(waits["direct"])
    added_by_naive = statistics.median(waits["naive"]) - direct_us
    print(f"{ROUNDS} interleaved rounds of {REQUESTS} calls, concurrency {CONCURRENCY}; medians")
    columns = ("calls/s", "x naive", "CPU us/call", "added us at 1", "x naive")
    print(
        f"{'':10} {columns[0]:>9} {columns[1]:>8} {columns[2]:>12} {columns[3]:>14} {columns[4]:>8}"
    )
    for name, each in rates.items():
        rate, wait = statistics.median(each), statistics.median(waits[name])
        added = wait - direct_us
        print(
            f"{name:10} {rate:9.0f} {rate / naive_rate:8.2f} "
            f"{statistics.median(cpu[name]):12.0f} {added:14.0f} {added / added_by_naive:8.2f}"
        )


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as place:
        asyncio.run(measure(Path(place)))
