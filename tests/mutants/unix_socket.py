"""Bugs of the Unix socket: who is let in, what goes on, and what becomes of the file."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

SOCKET = "tests/e2e/test_unix_socket.py"
FILE = "tests/unit/service/test_socket_file.py"
ADMISSION = "tests/unit/proxy/test_admission.py"

UNIX_SOCKET = (
    Mutant(
        "lets every user of the machine in by the socket",
        "sidecar/proxy/admission.py",
        "        if self.users is not None and user not in self.users:\n",
        "        if self.users and user not in self.users:\n"
        "            user = next(iter(self.users))\n"
        "        if self.users is not None and user not in self.users:\n",
        (f"{SOCKET}::test_stranger",),
    ),
    Mutant(
        "takes whoever connects for our own user",
        "sidecar/peer.py",
        "return Peer(process, user % 2**32)",
        'return Peer(process, __import__("os").geteuid())',
        # Where the tests run as root only a process of another user can tell.
        (f"{SOCKET}::test_stranger", f"{SOCKET}::test_other_caller", f"{FILE}::test_peer_word"),
    ),
    Mutant(
        "lets root in beside the users",
        "sidecar/proxy/admission.py",
        "if self.users is not None and user not in self.users:",
        "if self.users is not None and user and user not in self.users:",
        (f"{ADMISSION}::test_stranger",),
    ),
    Mutant(
        "judges a request of the socket by its token",
        "sidecar/proxy/admission.py",
        "        if self.users is not None:\n            assert user is not None\n",
        "        if self.users is not None and not _shown_token(shown):\n"
        "            assert user is not None\n",
        (f"{ADMISSION}::test_user",),
    ),
    Mutant(
        "sends the app's own key on",
        "sidecar/proxy/headers.py",
        '    "authorization",\n    "x-api-key",\n    "api-key",\n',
        "",
        (f"{SOCKET}::test_token_stays_here",),
    ),
    Mutant(
        "serves web pages over the socket",
        "sidecar/proxy/admission.py",
        "not in (self.hosts or ()):",
        'not in (self.hosts or ("localhost",)):',
        (f"{ADMISSION}::test_web_pages_on_a_socket",),
    ),
    Mutant(
        "lets everybody connect where only we should",
        "sidecar/service/socket_file.py",
        "_EVERYBODYS if for_others else _OURS",
        "_EVERYBODYS",
        (f"{FILE}::test_mode",),
    ),
    Mutant(
        "leaves the mode to the umask",
        "sidecar/service/socket_file.py",
        "                draft.chmod(_EVERYBODYS if for_others else _OURS)\n",
        "",
        (f"{FILE}::test_mode",),
    ),
    Mutant(
        "refuses what a killed sidecar left",
        "sidecar/service/socket_file.py",
        '                _clear(path, Path(private) / "old")\n',
        "",
        (f"{FILE}::test_deserted", f"{SOCKET}::test_killed"),
    ),
    Mutant(
        "takes the place of one that lives",
        "sidecar/service/socket_file.py",
        "    _refuse_live(path, path)\n    path.rename(aside)\n    try:\n",
        "    path.rename(aside)\n    try:\n        return\n",
        (f"{FILE}::test_live",),
    ),
    Mutant(
        "takes a busy one for a dead one",
        "sidecar/service/socket_file.py",
        "        except ConnectionRefusedError:\n            return\n",
        "        except (ConnectionRefusedError, BlockingIOError):\n            return\n",
        (f"{FILE}::test_full_queue",),
    ),
    Mutant(
        "listens where anybody may make files",
        "sidecar/service/socket_file.py",
        "    if folder.stat().st_mode & _OTHERS_WRITE:\n",
        "    if False:\n",
        (f"{FILE}::test_open_folder",),
    ),
    Mutant(
        "takes another's socket away at its end",
        "sidecar/service/socket_file.py",
        "if _identity(self.path) == self._identity:",
        "if True:",
        (f"{FILE}::test_remove_only_ours",),
    ),
    Mutant(
        "gives strangers all the places",
        "sidecar/proxy/server.py",
        "> STRANGERS_MAX",
        "> 10 * STRANGERS_MAX",
        (f"{SOCKET}::test_crowd_of_strangers",),
    ),
    Mutant(
        "knows a user of another container as one of ours",
        "sidecar/config/callers.py",
        "    if uid == UNMAPPED_UID:\n",
        "    if False:\n",
        ("tests/unit/config/test_listen.py::test_mistakes_on_a_socket",),
    ),
)
