"""The real sidecar, with bugs planted around it that speak of its secrets.

    python -m tests.canary.faulty_sidecar CONFIG REPORT

A request whose path names a bug meets it where it would be sent. At its end the process reports
whether it could have been dumped: nobody else can tell, where everything belongs to root.
"""

from __future__ import annotations

import ctypes
import logging
import os
import sys
import warnings
from pathlib import Path
from typing import Any

from sidecar.config.read import load_config
from sidecar.http import HttpRequest, Upstream
from sidecar.service import Ports, run
from tests.canary.marks import ADMIN_TOKEN, API_KEY, APP_TOKEN, EVM_FILE, PASSWORD, SECRETS
from tests.canary.needles import dressed

GET_DUMPABLE = 3
# What the process has opened itself, in every dress.
LOADED = [
    needle.data for secret in SECRETS for needle in dressed(secret) if secret.name != "signer"
]


class Careless:
    """An upstream whose bugs print what they hold."""

    def __init__(self, target: Upstream) -> None:
        self._target = target

    async def send(self, request: HttpRequest, **kw: Any) -> Any:
        held = (EVM_FILE.hex(), APP_TOKEN, ADMIN_TOKEN, API_KEY, PASSWORD)
        bug = request.url.rpartition("/bug-")[2]
        if bug == "locals":
            raise RuntimeError("a bug, with secrets all around it")
        if bug == "words":
            raise RuntimeError(f"a bug that quotes {held}")
        if bug == "cause":
            raise RuntimeError("a bug because of another") from ValueError(f"{held}")
        if bug == "group":
            raise ExceptionGroup(f"{held}", [ValueError(f"{held}")])
        if bug == "logging":
            for place, data in enumerate(LOADED):
                if _is_known(data):
                    logging.getLogger("library").error("form %d: %s", place, data.decode("latin-1"))
            logging.getLogger("library").debug("debug %s %r", held, {"key": EVM_FILE})
            logging.getLogger("library").error("wrong %d", f"{held}")
            warnings.warn(f"careful: {held}", stacklevel=1)
            try:
                raise LookupError(held)
            except LookupError:
                logging.getLogger("library").exception("with a traceback: %s", held)
        return await self._target.send(request, **kw)


def _is_known(data: bytes) -> bool:
    """Whether the sidecar can know that this is a secret: what apps show by mistake, it cannot."""
    unknown = {"wrong token", "malformed"}
    forms = (needle for one in SECRETS if one.name in unknown for needle in dressed(one))
    return data not in {needle.data for needle in forms}


def main() -> int:
    """Run until told to end, and report."""
    ports = Ports(wrap_upstream=Careless)
    try:
        return run(load_config(Path(sys.argv[1]), os.environ, {}), os.environ, ports)
    finally:
        libc = ctypes.CDLL(None)
        Path(sys.argv[2]).write_text(f"dumpable {libc.prctl(GET_DUMPABLE, 0, 0, 0, 0)}\n")


if __name__ == "__main__":
    sys.exit(main())
