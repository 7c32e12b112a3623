"""Bugs of what is loaded late, made or read once and kept: modules, hashes, challenges, tokens."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

LOADED = "tests/e2e/test_loaded.py"
LOGS = "tests/unit/test_logs.py"
KECCAK = "tests/unit/wallets/test_keccak.py"
PARSER = "tests/unit/cli/test_parser.py"
DOCUMENT = "tests/unit/config/test_document.py"
U = "tests/unit"

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
        "sidecar/payments/served.py",
        "            self.status,\n            self.decision,",
        "            200,\n            self.decision,",
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
    Mutant(
        "hashes on top of what was hashed before",
        "sidecar/wallets/keccak.py",
        "reset(state) or absorb",
        "absorb",
        (f"{KECCAK}::test_one_after_the_other",),
    ),
    Mutant(
        "signs to a payee in any case",
        "sidecar/wallets/eip712.py",
        "    if address != checksum_address(address):",
        "    if False:",
        (f"{U}/wallets/test_eip712.py::test_refused",),
    ),
    Mutant(
        "takes a flag for the config's name",
        "sidecar/cli/plain_run.py",
        ' if not named.startswith("-")',
        "",
        (f"{U}/cli/test_plain_run.py::test_parsed",),
    ),
    Mutant(
        "leaves modules missing for everybody",
        "sidecar/proxy/certificates.py",
        "        for name in absent:\n            del sys.modules[name]",
        "        pass",
        (f"{U}/proxy/test_certificates.py::test_left_out",),
    ),
    Mutant(
        "loads C code that is never used",
        "sidecar/proxy/certificates.py",
        "with _left_out(NEVER_USED):",
        "with _left_out(()):",
        (f"{U}/proxy/test_certificates.py::test_left_out",),
    ),
    Mutant(
        "knows a challenge by how it begins",
        "sidecar/x402/codec.py",
        "            return (_kept if len(header) <= KEPT_CHARS_MAX else _read_header)(header)\n",
        "            return vars(_read_header).setdefault(header[:64], _read_header(header))\n",
        (f"{U}/x402/test_codec.py::test_read_again",),
    ),
    Mutant(
        "keeps challenges of any length",
        "sidecar/x402/codec.py",
        "_kept if len(header) <= KEPT_CHARS_MAX else _read_header",
        "_kept if header else _read_header",
        (f"{U}/x402/test_codec.py::test_long_header",),
    ),
    Mutant(
        "judges other offers as it judged the first",
        "sidecar/x402/types.py",
        "    judged: Any = field(default=None, init=False, compare=False, repr=False)",
        "    judged: Any = field(default=None, compare=False, repr=False)",
        (f"{U}/x402/test_select.py::test_other_offers",),
    ),
    Mutant(
        "gives a forked process its parent's tokens",
        "sidecar/clock.py",
        "        os.register_at_fork(after_in_child=self._drawn.clear)\n",
        "",
        (f"{U}/test_clock.py::test_drawn_before_a_fork",),
    ),
    Mutant(
        "gives a token out twice",
        "sidecar/clock.py",
        "return self._drawn[size].pop()",
        "return self._drawn[size][-1]",
        (f"{U}/test_clock.py::test_drawn",),
    ),
    Mutant(
        "lets a value break its line",
        "sidecar/proxy/outgoing.py",
        '"\\n" in words or ',
        "",
        (f"{U}/proxy/test_outgoing.py::test_broken_lines",),
    ),
    Mutant(
        "lets an escape pass that no text can hold",
        "sidecar/document.py",
        '    if "\\\\" in text and "\\\\u" in text:\n',
        "    if False:\n",
        (f"{U}/test_document.py::test_not_one_reading",),
    ),
    Mutant(
        "takes what broke off for whole",
        "sidecar/proxy/streamed.py",
        "return self._payload.is_eof() and self._payload.exception() is None",
        "return self._payload.is_eof()",
        (f"{U}/proxy/test_streamed.py::test_broken_off",),
    ),
)
