"""Bugs that a hostile seller would profit from; the battery in tests/hostile holds them out."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

H = "tests/hostile"
N = f"{H}/test_challenges.py::test_nothing_outside_the_rules"

HOSTILE = (
    Mutant(
        "pays more than the cap",
        "sidecar/policy.py",
        "        if candidate.amount > self.max_payment:\n",
        "        if False:\n",
        (f"{N}[one unit over the cap]",),
    ),
    Mutant(
        "checks one offer and pays another",
        "sidecar/policy.py",
        "            return answer\n",
        "            return Allowed(payable[-1], answer.validity_s)\n",
        (f"{N}[honest first, dear second]",),
    ),
    Mutant(
        "pays in the seller's token",
        "sidecar/chains.py",
        "    return _BY_KEY.get(_key(network, address))\n",
        '    ours = _BY_KEY.get(_key(network, address))\n    return ours or _usdc(network, address, "USD Coin")\n',
        (f"{N}[a token that calls itself USD Coin]",),
    ),
    Mutant(
        "ignores the pinned payee",
        "sidecar/policy.py",
        "        if self.pay_to and _payee(candidate) not in self.pay_to:\n",
        "        if False:\n",
        (f"{N}[another payee]",),
    ),
    Mutant(
        "lets the seller say how long a payment is valid",
        "sidecar/policy.py",
        "min(seller_s, self.validity_s_max)",
        "seller_s",
        (f"{N}[valid for ten years]",),
    ),
    Mutant(
        "pays on any network",
        "sidecar/policy.py",
        "        if candidate.asset.network not in self.networks:\n",
        "        if False:\n",
        (f"{N}[another chain, cheaper]",),
    ),
    Mutant(
        "takes Permit2 for a transfer",
        "sidecar/x402/select.py",
        '    if extra.get("assetTransferMethod") not in (None, "eip3009"):\n',
        "    if False:\n",
        (f"{N}[Permit2]",),
    ),
    Mutant(
        "pays whom nobody has the key of",
        "sidecar/x402/select.py",
        "    if payee in _BURN_ADDRESSES or payee.lower() == asset.address.lower():\n",
        "    if False:\n",
        (f"{N}[the burn address]",),
    ),
    Mutant(
        "pays itself",
        "sidecar/wallets/evm.py",
        "        if payee == self.address:\n",
        "        if False:\n",
        (f"{N}[the payer]",),
    ),
    Mutant(
        "reads any digits as an amount",
        "sidecar/money.py",
        '_WIRE = re.compile(r"[1-9][0-9]{0,30}", re.ASCII)',
        '_WIRE = re.compile(r"\\d+")',
        (f"{N}[amount: Arabic-Indic digits]",),
    ),
    Mutant(
        "takes the first of two challenges",
        "sidecar/x402/codec.py",
        "    if len(values) > 1:\n",
        "    if False:\n",
        (f"{N}[two headers, one honest]",),
    ),
    Mutant(
        "signs in for another origin's page",
        "sidecar/siwx/challenge.py",
        '        if uri != str(origin) and not uri.startswith((f"{origin}/", f"{origin}?", f"{origin}#")):\n',
        "        if False:\n",
        (f"{N}[sign-in: another uri]",),
    ),
    Mutant(
        "pays the fee on Solana",
        "sidecar/wallets/solana.py",
        "    if len(parts) != 8:\n",
        "    if False:\n",
        (f"{N}[our key pays the fee]",),
    ),
    Mutant(
        "pays Venice less than its minimum",
        "sidecar/providers/venice.py",
        "    if minimum > amount:\n",
        "    if False:\n",
        (f"{N}[ten times the top-up]",),
    ),
    Mutant(
        "repeats whatever the seller wants repeated",
        "sidecar/x402/encode.py",
        "    if required.written_in.flat:\n        return (True,)",
        "    if True:\n        return (True,)",
        (f"{N}[an extra of 200 KB]",),
    ),
    Mutant(
        "signs a nonce of any length",
        "sidecar/siwx/message.py",
        '_rule(r"[A-Za-z0-9]{8,64}", 64, ',
        '_rule(r"[A-Za-z0-9]{8,}", 20_000, ',
        (f"{H}/test_challenges.py::test_sign_ins",),
    ),
    Mutant(
        "takes RTSP for HTTP",
        "sidecar/proxy/framing.py",
        "        return _RTSP.search(text) is None and not behind\n",
        "        return True\n",
        (f"{H}/test_refusals.py::test_counted[RTSP/1.0]",),
    ),
    Mutant(
        "writes a line for each request of a flood",
        "sidecar/proxy/refusals.py",
        "        self._counts[reason] += 1\n",
        "        self._counts[reason] += 1\n        self.tell()\n",
        (f"{H}/test_refusals.py::test_flood",),
    ),
    Mutant(
        "does not count what it refuses",
        "sidecar/proxy/connection.py",
        "        self._server.refusals.add(reason)\n",
        "",
        (f"{H}/test_refusals.py::test_counted[a large head]",),
    ),
    Mutant(
        "keeps a buffer of every connection",
        "sidecar/proxy/connection.py",
        "        self._manager = self._server = server\n",
        "        self._manager = self._server = server\n"
        '        server.__dict__.setdefault("_all", []).append(bytearray(8_192))\n',
        (f"{H}/test_slow_and_many.py::test_slow_and_many",),
    ),
)
