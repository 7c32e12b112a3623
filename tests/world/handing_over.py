"""Starts a program as a service manager does: with sockets that listen already.

python -m tests.world.handing_over NAMES ADDRESS... -- COMMAND...

Each address is PORT, on loopback, or a path; ``closed`` and ``datagram`` are what a manager should
not hand over. The sockets get the descriptors from 3 on, and NAMES is what they are called; ``-``
for no names. The program takes this one's place, so its process id is the one that was told.
"""

from __future__ import annotations

import os
import socket
import sys

FIRST = 3


def opened(address: str) -> int:
    """The descriptor of a socket at this address."""
    if address == "closed":
        return os.open(os.devnull, os.O_RDONLY)
    if address == "datagram":
        return socket.socket(socket.AF_INET, socket.SOCK_DGRAM).detach()
    made = socket.socket(socket.AF_UNIX if "/" in address else socket.AF_INET)
    made.bind(address if "/" in address else ("127.0.0.1", int(address)))
    made.listen()
    return made.detach()


def main() -> None:
    """Open them, and become the program."""
    names, *rest = sys.argv[1:]
    at = rest.index("--")
    # Above those that they are to have, so that none is overwritten before it is moved.
    high = [os.dup2(opened(address), 100 + index) for index, address in enumerate(rest[:at])]
    for index, descriptor in enumerate(high):
        os.dup2(descriptor, FIRST + index)
    told = {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": str(len(high))}
    if names != "-":
        told["LISTEN_FDNAMES"] = names
    os.closerange(100, 100 + len(high))
    os.execvpe(rest[at + 1], rest[at + 1 :], {**os.environ, **told})


if __name__ == "__main__":
    main()
