"""The composition root: Config in, wired objects out; start, drain, stop. Nothing else wires.

ports     the doors to the world, which a test replaces
secrets   every key and token that the config names, opened once
wiring    Config -> the objects of the money path and the proxy
contacts  how vendors are reached, kept from one config to the next
wired     all that one config makes, and what lasts as long as the process
loops     what is done on intervals
reread    the config, read again; differences: what is new in it, and what needs a restart
view      what the admin port shows
service   start, reload, drain, stop
signals   what the operating system asks for
process   one sidecar as an operating system process: signals, limits, exit
"""

from sidecar.service.ports import Ports
from sidecar.service.process import run
from sidecar.service.secrets import Opened, open_all
from sidecar.service.service import Service

__all__ = ["Opened", "Ports", "Service", "open_all", "run"]
