"""The secrets that one route needs, opened by a command beside a sidecar that may be running."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from sidecar.clock import SystemEntropy
from sidecar.config.model import Config, RouteConfig
from sidecar.service.secrets import Opened, open_all


def open_for(config: Config, route: RouteConfig) -> Opened:
    """What this route alone needs, opened. Nothing is made in the state folder.

    Whoever serves makes its tokens, and as the user that it runs as.
    """
    wallets = {route.wallet: config.wallets[route.wallet]} if route.wallet is not None else {}
    with TemporaryDirectory(prefix="sidecar-") as folder:
        alone = replace(
            config,
            state_dir=Path(folder),
            routes={route.name: route},
            wallets=wallets,
            callers={},
        )
        return open_all(alone, dict(os.environ), SystemEntropy())
