"""Bugs of what is loaded late, made once and kept: a module, a hash, a line's shared text."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

LOADED = "tests/e2e/test_loaded.py"
LOGS = "tests/unit/test_logs.py"
KECCAK = "tests/unit/wallets/test_keccak.py"
PARSER = "tests/unit/cli/test_parser.py"
DOCUMENT = "tests/unit/config/test_document.py"

START_AND_SIZE = (
    Mutant(
        "loads eth_account for a key file",
        "sidecar/wallets/evm_keys.py",
        "from collections.abc import Mapping\n",
        "from collections.abc import Mapping\n\nimport eth_account  # noqa: F401\n",
        (f"{LOADED}::test_wallet[evm]",),
    ),
    Mutant(
        "loads a wallet for who only has API keys",
        "sidecar/service/secrets.py",
        "from sidecar.wallets.keys import Wallet, keys_of\n",
        "from sidecar.wallets.evm import EvmWallet as _  # noqa: F401\n"
        "from sidecar.wallets.keys import Wallet, keys_of\n",
        (f"{LOADED}::test_api_key",),
    ),
    Mutant(
        "keeps a request's shared text unredacted",
        "sidecar/logs/lines.py",
        "self._redact(begin), self._redact(middle), self._redact(end)",
        "begin, middle, end",
        (f"{LOGS}::test_lines_that_share",),
    ),
    Mutant(
        "takes requests that differ in their status for alike",
        "sidecar/logs/lines.py",
        "event.path, event.status, event.decision)",
        "event.path, 200, event.decision)",
        (f"{LOGS}::test_lines_that_share", f"{LOGS}::test_levels"),
    ),
    Mutant(
        "remembers every path that was ever asked for",
        "sidecar/logs/lines.py",
        "            self._shared.clear()\n",
        "            pass\n",
        (f"{LOGS}::test_shared_is_bounded",),
    ),
    Mutant(
        "hashes with SHA-3's padding",
        "sidecar/wallets/keccak.py",
        "_PADDING = ctypes.c_uint8(0x01)",
        "_PADDING = ctypes.c_uint8(0x06)",
        (f"{KECCAK}::test_same_as_the_library",),
    ),
    Mutant(
        "looks for drift where no chain can be asked",
        "sidecar/service/loops.py",
        "        if not spenders:\n            return []\n",
        "",
        (f"{LOADED}::test_api_key",),
    ),
    Mutant(
        "describes every command to who asks for one",
        "sidecar/cli/parser.py",
        "        if asked in {None, name}:\n            add(commands)\n",
        "        add(commands)\n",
        (f"{PARSER}::test_one_command[run]",),
    ),
    Mutant(
        "describes no command to who mistypes one",
        "sidecar/cli/parser.py",
        "words[0] if words and words[0] in _COMMANDS else None",
        "words[0] if words else None",
        (f"{PARSER}::test_all_commands[mistyped]",),
    ),
    Mutant(
        "composes a config however deep it is",
        "sidecar/config/document.py",
        "            raise _TooDeepError\n",
        "            break\n",
        (f"{DOCUMENT}::test_refused",),
    ),
    Mutant(
        "says what is wrong with a config in libyaml's words",
        "sidecar/config/document.py",
        "            # What is wrong is said in the other parser's words, for they are there always.\n"
        "            pass\n",
        "            raise\n",
        (f"{DOCUMENT}::test_refused",),
    ),
)
