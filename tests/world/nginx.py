"""nginx as it is set up before streams: what the sidecar's are compared with."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.world.processes import WORLD, Process, free_port, installed

_CONFIG = """\
daemon off;
master_process off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/error.log warn;
events {{ worker_connections 4096; }}
http {{
  access_log off;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  server {{
    listen 127.0.0.1:{port};
    proxy_http_version 1.1;
    proxy_buffering off;
    proxy_set_header Connection "";
    location / {{ proxy_pass {origin}; }}
  }}
}}
"""


@contextmanager
def nginx(folder: Path, origin: str) -> Iterator[int]:
    """nginx in front of this origin; the port that it listens on. It buffers nothing."""
    program, environment = _found()
    port = free_port()
    config = folder / "nginx.conf"
    config.write_text(_CONFIG.format(folder=folder, port=port, origin=origin))
    command: list[str | Path] = [program, "-p", folder, "-e", folder / "error.log", "-c", config]
    with Process(command, folder / "nginx.log", environment) as process:
        process.wait_for_port(port)
        yield port


def _found() -> tuple[Path, dict[str, str]]:
    """The program and its environment: from the PATH, or as install.sh unpacked it."""
    own = shutil.which("nginx")
    if own is not None:
        return Path(own), dict(os.environ)
    program = installed(WORLD / "nginx/usr/sbin/nginx")
    libraries = next((WORLD / "nginx/usr/lib").glob("*-linux-gnu"))
    return program, {**os.environ, "LD_LIBRARY_PATH": str(libraries)}
