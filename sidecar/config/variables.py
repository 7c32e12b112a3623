"""Variables of the environment that look like settings and are none: a typo is told of."""

from __future__ import annotations

import re
from collections.abc import Mapping

from sidecar.config.mistakes import closest
from sidecar.config.model import Config
from sidecar.config.read import VARIABLES
from sidecar.config.secrets import secret_variables

CONFIG_VARIABLE = "SIDECAR_CONFIG"
PREFIX = "SIDECAR_"

# Kubernetes sets these in every pod beside a Service that is called sidecar, or sidecar-something.
_SERVICE_LINK = re.compile(r"SIDECAR_([A-Z0-9_]+_)?(SERVICE_(HOST|PORT).*|PORT_[0-9]+_.*)")


def strange_variables(environ: Mapping[str, str], config: Config) -> tuple[str, ...]:
    """A sentence for each variable that a person may have meant as a setting."""
    settings = (*VARIABLES.values(), CONFIG_VARIABLE)
    known = {*settings, *secret_variables(config)}
    return tuple(
        f"{name} is set and is no setting; {closest(name, settings)}"
        for name, value in sorted(environ.items())
        if name.startswith(PREFIX)
        and name not in known
        and _SERVICE_LINK.fullmatch(name) is None
        # The one of theirs that a person could mean.
        and not value.startswith("tcp://")
    )
