"""The composition root: Config in, wired objects out; start, drain, stop. Nothing else wires.

    ports     the doors to the world, which a test replaces
    secrets   every key and token that the config names, opened once
    wiring    Config -> the objects of the money path and the proxy
    view      what the admin port shows
    service   start, drain, stop
"""

from sidecar.service.ports import Ports
from sidecar.service.service import Service, run

__all__ = ["Ports", "Service", "run"]
