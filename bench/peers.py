"""Who runs: each peer's command and config, and why one that cannot be had is missing."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from bench.machine import ROOT, WORLD

TOKEN = "sk-bench-token-0123456789"
UPSTREAM_KEY = "sk-upstream"
# A key for nobody's money: the seller of the benchmark takes any payment.
WALLET_KEY = "0x" + "11" * 32
CHAT = "/v1/chat/completions"
CLIENT = ROOT / ".world" / "sdk-v2" / "bin" / "python"


@dataclass(frozen=True, slots=True)
class Launch:
    """How to start one: ``missing`` says why that is not possible here."""

    command: list[str] = field(default_factory=list)
    environment: Mapping[str, str] = field(default_factory=dict)
    missing: str = ""


@dataclass(frozen=True, slots=True)
class Upstream:
    """Where calls are sent: over TLS where there is a ``certificate``, which is to be believed."""

    port: int
    certificate: Path | None = None

    @property
    def scheme(self) -> str:
        """http or https."""
        return "http" if self.certificate is None else "https"

    @property
    def url(self) -> str:
        """Without a path."""
        return f"{self.scheme}://127.0.0.1:{self.port}"

    @property
    def environment(self) -> Mapping[str, str]:
        """What makes a Python process believe the certificate."""
        return {} if self.certificate is None else {"SSL_CERT_FILE": str(self.certificate)}


@dataclass(frozen=True, slots=True)
class Peer:
    """One row of the tables.

    ``start`` is given a folder, the port to listen on and the upstream. ``paid`` and
    ``credit`` are where its apps find the route that is paid for each request, and from credit.
    ``transfers``: whether a large body of any kind may cross it.
    """

    name: str
    start: Callable[[Path, int, Upstream], Launch]
    paid: str = ""
    credit: str = ""
    transfers: bool = True


def unpacked_program(name: str) -> tuple[str, Mapping[str, str]] | None:
    """The program, and what its libraries need: from the PATH, or as install.sh unpacked it."""
    found = shutil.which(name)
    if found is not None:
        return found, {}
    unpacked = WORLD / "debian" / "usr" / "sbin" / name
    libraries = sorted((WORLD / "debian").glob("usr/lib/*-linux-gnu"))
    if not unpacked.exists() or not libraries:
        return None
    return str(unpacked), {"LD_LIBRARY_PATH": str(libraries[0])}


# One worker; ``servers`` pass calls on to ``up``.
NGINX_FRAME = """\
daemon off;
master_process off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/nginx.log error;
events {{ worker_connections 8192; }}
http {{
  access_log off;
  client_body_temp_path {folder};
  proxy_temp_path {folder};
  fastcgi_temp_path {folder};
  uwsgi_temp_path {folder};
  scgi_temp_path {folder};
  client_max_body_size 0;
  keepalive_requests 1000000000;
  upstream up {{
    server 127.0.0.1:{upstream};
    keepalive 1024;
    keepalive_requests 1000000000;
  }}
{servers}
}}
"""
NGINX_PROXY = """\
  server {{
    listen 127.0.0.1:{port} backlog=4096;
    location / {{
      proxy_pass {scheme}://up;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header Authorization "Bearer {key}";
      proxy_buffering off;
      proxy_request_buffering off;
      proxy_read_timeout 600s;
{tls}
    }}
  }}
"""


# It compares no addresses with a certificate's names.
_NGINX_TLS = """\
      proxy_ssl_protocols TLSv1.3;
      proxy_ssl_name localhost;
      proxy_ssl_verify on;
      proxy_ssl_trusted_certificate {certificate};
"""


def launch_nginx(folder: Path, text: str) -> Launch:
    """One worker with this config."""
    program = unpacked_program("nginx")
    if program is None:
        return Launch(missing="nginx is not installed")
    config = folder / "nginx.conf"
    config.write_text(text)
    return Launch([program[0], "-p", str(folder), "-c", str(config)], program[1])


def _nginx(folder: Path, port: int, upstream: Upstream) -> Launch:
    believed = upstream.certificate
    return launch_nginx(
        folder,
        NGINX_FRAME.format(
            folder=folder,
            upstream=upstream.port,
            servers=NGINX_PROXY.format(
                port=port,
                scheme=upstream.scheme,
                key=UPSTREAM_KEY,
                tls="" if believed is None else _NGINX_TLS.format(certificate=believed),
            ),
        ),
    )


_HAPROXY = """\
global
  nbthread 1
  maxconn 8192
defaults
  mode http
  timeout connect 10s
  timeout client 600s
  timeout server 600s
  option http-no-delay
  http-reuse always
frontend app
  bind 127.0.0.1:{port} backlog 4096
  http-request set-header Authorization "Bearer {key}"
  default_backend up
backend up
  server one 127.0.0.1:{upstream} pool-max-conn -1
"""


def _haproxy(folder: Path, port: int, upstream: Upstream) -> Launch:
    program = unpacked_program("haproxy")
    if program is None:
        return Launch(missing="haproxy is not installed")
    config = folder / "haproxy.cfg"
    config.write_text(_HAPROXY.format(port=port, upstream=upstream.port, key=UPSTREAM_KEY))
    return Launch([program[0], "-db", "-f", str(config)], program[1])


def _naive(folder: Path, port: int, upstream: Upstream) -> Launch:
    command = [sys.executable, "bench/naive.py", str(port), upstream.url]
    return Launch(command, upstream.environment)


def _node(folder: Path, port: int, upstream: Upstream) -> Launch:
    program, modules = shutil.which("node"), WORLD / "node"
    if program is None or not (modules / "node_modules").exists():
        return Launch(missing="Node or @x402/fetch is not installed")
    # Node looks for packages beside the file, not in the folder that it runs in.
    script = shutil.copy(ROOT / "bench" / "peers" / "node_x402.mjs", modules)
    return Launch([program, str(script), str(port), upstream.url, WALLET_KEY])


def _python_client(folder: Path, port: int, upstream: Upstream) -> Launch:
    if not CLIENT.exists():
        return Launch(missing="the Python x402 SDK is not installed")
    script = ROOT / "bench" / "peers" / "python_x402.py"
    return Launch([str(CLIENT), str(script), str(port), upstream.url, WALLET_KEY])


def _mitmdump(folder: Path, port: int, upstream: Upstream) -> Launch:
    program = WORLD / "mitmproxy" / "bin" / "mitmdump"
    if not program.exists():
        return Launch(missing="mitmproxy is not installed")
    options = (f"confdir={folder}", "stream_large_bodies=1", "keep_host_header=true")
    return Launch(
        [
            str(program),
            *("--quiet", "--listen-host", "127.0.0.1", "--listen-port", str(port)),
            *("--mode", f"reverse:{upstream.url}"),
            *("--modify-headers", f"/~q/Authorization/Bearer {UPSTREAM_KEY}"),
            *(word for option in options for word in ("--set", option)),
        ]
    )


_LITELLM = """\
model_list:
  - model_name: "*"
    litellm_params:
      model: openai/*
      api_base: {upstream}/v1
      api_key: {key}
general_settings: {{master_key: {token}}}
litellm_settings: {{telemetry: false, request_timeout: 600}}
"""


def _litellm(folder: Path, port: int, upstream: Upstream) -> Launch:
    program = WORLD / "litellm" / "bin" / "litellm"
    if not program.exists():
        return Launch(missing="LiteLLM is not installed")
    config = folder / "litellm.yaml"
    config.write_text(_LITELLM.format(upstream=upstream.url, key=UPSTREAM_KEY, token=TOKEN))
    return Launch(
        [str(program), "--config", str(config), "--host", "127.0.0.1", "--port", str(port)],
        # Without it the start waits for a list of prices from the internet.
        {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_LOG": "ERROR", "DO_NOT_TRACK": "1"},
    )


PEERS = (
    Peer("nginx", _nginx),
    Peer("haproxy", _haproxy),
    Peer("naive aiohttp", _naive),
    Peer("Node @x402/fetch", _node, paid="/paid" + CHAT),
    Peer("Python x402", _python_client, paid="/paid" + CHAT),
    Peer("mitmdump", _mitmdump),
    Peer("LiteLLM", _litellm, transfers=False),
)
