"""The machine under the benchmark: cores, processes, and what the kernel says that they used."""

from __future__ import annotations

import itertools
import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
WORLD = ROOT / ".world" / "bench"
# The proxy has a core for itself; the load and the upstream share another.
CORES = sorted(os.sched_getaffinity(0))
PROXY_CORE, LOAD_CORE = CORES[0], CORES[-1]
STOP_WAIT_S = 10.0
LOAD_WAIT_S = 120.0


# Two benchmarks at once begin at different ones.
_numbers = itertools.count(os.getpid() * 16)


def free_port() -> int:
    """A port that nobody listens on, below those that the kernel gives to connections.

    One of those could be another's before the process that it is for has opened it.
    """
    while True:
        port = 20_000 + next(_numbers) % 10_000
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


@dataclass(frozen=True, slots=True)
class Use:
    """What a tree of processes has used until now, and holds."""

    cpu_s: float
    rss_mb: float
    peak_mb: float


@dataclass(frozen=True, slots=True)
class Tree:
    """A process and all that it started."""

    pid: int

    def pids(self) -> Iterator[int]:
        """The process first."""
        waiting = [self.pid]
        while waiting:
            pid = waiting.pop()
            yield pid
            # A thread may end while it is looked at.
            with suppress(OSError):
                for thread in Path(f"/proc/{pid}/task").glob("*/children"):
                    waiting += map(int, thread.read_text().split())

    def alive(self) -> bool:
        """Whether the process itself has not ended."""
        try:
            return ") Z " not in Path(f"/proc/{self.pid}/stat").read_text()
        except OSError:
            return False

    def use(self) -> Use:
        """CPU to the nanosecond: the ticks of /proc/PID/stat are too coarse for a second's run."""
        cpu_s = rss_kb = peak_kb = 0.0
        for pid in self.pids():
            # What has ended meanwhile holds nothing.
            with suppress(OSError):
                # The clock that clock_getcpuclockid(3) gives for another process.
                cpu_s += time.clock_gettime((~pid << 3) | 2)
                for line in Path(f"/proc/{pid}/status").read_text().splitlines():
                    if line.startswith("VmRSS:"):
                        rss_kb += int(line.split()[1])
                    if line.startswith("VmHWM:"):
                        peak_kb += int(line.split()[1])
        return Use(cpu_s, rss_kb / 1024, peak_kb / 1024)

    def forget_peak(self) -> None:
        """The peak is counted from now on."""
        for pid in self.pids():
            with suppress(OSError):
                Path(f"/proc/{pid}/clear_refs").write_text("5")


def on_core(core: int, command: Sequence[str]) -> list[str]:
    """The command on one core; it ends with the benchmark, however that ends."""
    return ["setpriv", "--pdeathsig", "KILL", "taskset", "--cpu-list", str(core), *command]


@contextmanager
def running(
    command: list[str], core: int, log: Path, environment: Mapping[str, str] | None = None
) -> Iterator[Tree]:
    """A process on one core, in a session of its own, ended with all that it started."""
    with log.open("ab") as out:
        process = subprocess.Popen(
            on_core(core, command),
            cwd=ROOT,
            env={**os.environ, **(environment or {})},
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            start_new_session=True,
        )
    try:
        yield Tree(process.pid)
    finally:
        stop(process)


def stop(process: subprocess.Popen[bytes]) -> None:
    """Ask it to end; whatever of its session has not ended then is ended."""
    process.terminate()
    with suppress(subprocess.TimeoutExpired):
        process.wait(STOP_WAIT_S)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def run_load(*words: str | float) -> dict[str, float]:
    """One run of the load generator (``load``) or of ``transfer``: the numbers that it prints."""
    program, *rest = map(str, words)
    done = subprocess.run(
        on_core(LOAD_CORE, [str(WORLD / "bin" / program), *rest]),
        check=False,
        capture_output=True,
        text=True,
        timeout=LOAD_WAIT_S,
    )
    if done.returncode != 0:
        raise RuntimeError(f"{program} {' '.join(rest)}: {done.stderr.strip()}")
    numbers: dict[str, Any] = json.loads(done.stdout)
    if numbers["failures"]:
        raise RuntimeError(f"{int(numbers['failures'])} failures: {done.stderr.strip()[:200]}")
    return numbers


def answers(port: int, path: str, token: str) -> bool:
    """Whether a chat call to this port is answered with a 200 now."""
    body = b'{"model":"m","messages":[{"role":"user","content":"x"}]}'
    head = (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAuthorization: Bearer {token}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=5) as app:
            app.sendall(head.encode() + body)
            return app.recv(64).startswith(b"HTTP/1.1 200")
    except OSError:
        return False
