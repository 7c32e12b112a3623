"""An upstream behind TLS: nginx on the load's core ends it, before the same mock upstream.

Without TLS the same nginx is asked on another port: what a proxy adds is counted from there, so
that what nginx itself takes is in none of the figures but for its own side of the encryption.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from bench.field import Book, Runner, await_answer, started, take_turns
from bench.machine import LOAD_CORE, free_port, running
from bench.measures import Scale, calls
from bench.peers import NGINX_FRAME, PEERS, Peer, Upstream, launch_nginx
from bench.sidecars import SIDECARS

NAMES = ("nginx", "naive aiohttp", "sidecar", "sidecar, lane off")
_SERVERS = """\
  server {{
    listen 127.0.0.1:{plain} backlog=4096;
    listen 127.0.0.1:{tls} ssl backlog=4096;
    ssl_protocols TLSv1.3;
    ssl_certificate {certificate};
    ssl_certificate_key {key};
    location / {{
      proxy_pass http://up;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_buffering off;
      proxy_request_buffering off;
    }}
  }}
"""


def make_certificate(folder: Path) -> tuple[Path, Path]:
    """A certificate that this machine gives itself, and its key. RuntimeError without OpenSSL."""
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    words = ["openssl", "req", "-x509", "-nodes", "-days", "2", "-subj", "/CN=localhost"]
    words += ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]
    for extension in (
        "subjectAltName=DNS:localhost,IP:127.0.0.1",
        "keyUsage=critical,digitalSignature,keyCertSign",
    ):
        words += ["-addext", extension]
    try:
        made = subprocess.run(
            [*words, "-out", str(certificate), "-keyout", str(key)],
            check=False,
            capture_output=True,
            text=True,
        )
    except FileNotFoundError as fault:
        raise RuntimeError("openssl is not installed") from fault
    if made.returncode != 0:
        raise RuntimeError(made.stderr[-200:])
    return certificate, key


@contextmanager
def behind_tls(folder: Path, up: Upstream) -> Iterator[tuple[Upstream, Upstream]]:
    """The upstream behind nginx: without TLS, and with it. RuntimeError where there is none."""
    certificate, key = make_certificate(folder)
    plain, tls = Upstream(free_port()), Upstream(free_port(), certificate)
    servers = _SERVERS.format(plain=plain.port, tls=tls.port, certificate=certificate, key=key)
    text = NGINX_FRAME.format(folder=folder, upstream=up.port, servers=servers)
    launch = launch_nginx(folder, text)
    if launch.missing:
        raise RuntimeError(launch.missing)
    with running(launch.command, LOAD_CORE, folder / "log", launch.environment) as tree:
        await_answer(plain.port, "nginx with TLS", tree)
        yield plain, tls


def measure(scale: Scale, folder: Path, up: Upstream, book: Book) -> None:
    """Chat calls as over plain TCP, their figures under names that begin with ``tls_``."""
    home = folder / "tls"
    home.mkdir(mode=0o700)
    peers = [peer for peer in (*PEERS, *SIDECARS) if peer.name in NAMES]
    own = Book(book.ends_s)
    calls_of_one, calls_of_32, _ = calls(scale)
    with ExitStack() as stack:
        try:
            plain, tls = stack.enter_context(behind_tls(home, up))
        except (RuntimeError, TimeoutError) as fault:
            book.fail("TLS upstream", str(fault))
            return
        runners = [Runner(Peer("direct", peers[0].start), plain.port, None)]
        for peer in peers:
            runner = stack.enter_context(started(peer, home, tls, own))
            runners += [] if runner is None else [runner]
        take_turns(runners, scale.rounds, calls_of_one, own)
        take_turns(runners, scale.rounds, calls_of_32, own)
    book.absorb(own, "tls_")
