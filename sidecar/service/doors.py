"""Where a sidecar listens: on sockets that it was handed, or on those that it opens itself."""

from __future__ import annotations

from sidecar.config.addresses import Address, SocketPath
from sidecar.config.model import Config
from sidecar.errors import ConfigError
from sidecar.payments.events import Emit
from sidecar.proxy.boarding import BoardingServer
from sidecar.proxy.express import Express
from sidecar.proxy.listener import Listener
from sidecar.proxy.server import Handler, ProxyServer
from sidecar.service import wiring
from sidecar.service.portholder import why_not
from sidecar.service.ports import Ports
from sidecar.service.secrets import Opened
from sidecar.service.socket_file import SocketFile, make_socket_file


class Doors:
    """The listeners of one service, as they are opened."""

    def __init__(self, config: Config, opened: Opened, ports: Ports, emit: Emit) -> None:
        self._limits = wiring.server_limits(config)
        self._users = opened.users or {}
        self._ports = ports
        self._emit = emit
        self._socket_file: SocketFile | None = None

    async def listen(
        self,
        key: str,
        address: Address | SocketPath,
        handler: Handler,
        express: Express | None = None,
    ) -> Listener:
        """Listen there. ConfigError names the ``key`` that asked for it."""
        server = ProxyServer(handler, self._limits, self._users, emit=self._emit)
        if express is not None:
            server = BoardingServer(
                handler, self._limits, self._users, emit=self._emit, express=express
            )
        given = self._ports.sockets.get(key)
        if given is not None:
            return await Listener.open_on(server, given)
        if isinstance(address, SocketPath):
            self._socket_file = make_socket_file(key, address.path, self._users)
            return await Listener.open_on(server, self._socket_file.socket)
        try:
            return await Listener.open(server, address.host, address.port)
        except OSError as fault:
            raise ConfigError(f"{key}: {why_not(address, fault)}") from fault

    def remove(self) -> None:
        """Take away what stands in a folder: nobody finds us any more."""
        if self._socket_file is not None:
            self._socket_file.remove()
