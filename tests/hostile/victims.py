"""Routes of ours as a hostile seller meets them: the whole way from its 402 to a signature.

A victim reads the answer by its provider, chooses by its policy, and signs with a real wallet;
what was signed is kept for the judge. What a route may do stands in ``Rules``, in plain values,
so that the judge need not ask the policy.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from sidecar.errors import RemoteProtocolError, WalletError
from sidecar.http import Header, HttpRequest, HttpResponse
from sidecar.money import Usdc
from sidecar.policy import Policy, choose
from sidecar.providers.base import (
    Credential,
    Occasion,
    PassThrough,
    PayInline,
    Prepaid,
    Present,
    Provider,
    TopUp,
)
from sidecar.providers.libertai import LibertAI
from sidecar.providers.nodit import Nodit
from sidecar.providers.pay_per_request import PayPerRequest
from sidecar.providers.venice import Venice
from sidecar.providers.x402layer import X402Layer
from sidecar.refusal import Denied
from sidecar.wallets.solana_layout import BARE
from sidecar.x402.encode import envelope_for, payment_header
from sidecar.x402.select import candidates
from sidecar.x402.types import PaymentRequired
from tests.hostile.case import BASE, SELLER, SOLANA, SOLANA_SELLER
from tests.hostile.cases_price import CAP
from tests.hostile.cases_vendor import TOP_UP
from tests.hostile.wallets import WitnessedWallet, evm_wallet, solana_wallet
from tests.world.exchanges import answered, hold, question_in
from tests.world.fakes import NOON

ORIGIN = "https://seller.example"
UPSTREAM = f"{ORIGIN}/v1"
RPC = "https://chain.example/rpc"
OUR_BLOCKHASH = "2k3PtJ5ZQ2gPU9K6uCXAJzpFYpZ8rxxRy4nZt4FVQ5g7"
PAYMENT_ID = "pay_" + "0" * 32


@dataclass(frozen=True, slots=True)
class Rules:
    """What the operator allows."""

    network: str
    cap: int = CAP
    pay_to: frozenset[str] = frozenset()
    schemes: frozenset[str] = frozenset({"exact"})


@dataclass(frozen=True, slots=True)
class Victim:
    """One route. ``sure``: it pays whatever is sound and allowed."""

    name: str
    rules: Rules
    make_wallet: Callable[[], WitnessedWallet]
    make_provider: Callable[[WitnessedWallet], Provider]
    url: str = f"{UPSTREAM}/chat"
    charge: Callable[[WitnessedWallet], Prepaid] | None = None
    sure: bool = True
    own_blockhash: bool = False

    @property
    def policy(self) -> Policy:
        """The rules as the route has them."""
        rules = self.rules
        pinned = rules.pay_to
        if rules.network == BASE:
            pinned = frozenset(address.lower() for address in pinned)
        return Policy(Usdc(rules.cap), frozenset({rules.network}), pinned, 300, rules.schemes)


@dataclass(slots=True)
class Meeting:
    """What came of one answer: what left the wallet, and with which headers."""

    wallet: WitnessedWallet
    headers: list[Header] = field(default_factory=list)
    credentials: list[Credential] = field(default_factory=list)
    refusals: list[str] = field(default_factory=list)

    @property
    def payments(self) -> list[dict[str, Any]]:
        return self.wallet.signatures.payments

    @property
    def sign_ins(self) -> list[tuple[str, str]]:
        return self.wallet.signatures.sign_ins


def meet(victim: Victim, reply: HttpResponse) -> Meeting:
    """What this route does about this answer; anything but a refusal or a signature is raised."""
    meeting = Meeting(victim.make_wallet())
    try:
        _deal(victim, meeting, reply)
    except (RemoteProtocolError, WalletError) as fault:
        meeting.refusals.append(fault.diagnostics())
    return meeting


def _deal(victim: Victim, meeting: Meeting, reply: HttpResponse) -> None:
    if victim.charge is not None:
        terms = victim.charge(meeting.wallet).terms("", reply, Usdc(TOP_UP))
        if isinstance(terms, str):
            meeting.refusals.append(terms)
        else:
            _pay(victim, meeting, terms)
        return
    provider = victim.make_provider(meeting.wallet)
    provider.is_stale(reply)
    provider.observe(reply)
    request = HttpRequest("POST", victim.url, (), b"{}")
    remedy = provider.remedy(request, reply, Occasion(NOON, b"\xab" * 32))
    if isinstance(remedy, Present):
        meeting.credentials.append(remedy.credential)
        remedy = remedy.otherwise
    match remedy:
        case PassThrough(reason):
            meeting.refusals.append(reason)
        case PayInline(required):
            _pay(victim, meeting, required)
        case TopUp(_):
            meeting.refusals.append("it wants a top-up")


def _pay(victim: Victim, meeting: Meeting, required: PaymentRequired) -> None:
    """As the payer does, but for the ledger."""
    allowed = choose(candidates(required), victim.policy)
    if isinstance(allowed, Denied):
        meeting.refusals.append(allowed.detail)
        return
    requirements, amount = allowed.candidate.requirements, allowed.candidate.amount
    conversation = meeting.wallet.authorize(
        requirements, amount, b"\xcd" * 32, NOON, allowed.validity_s
    )
    authorization = hold(conversation, _chain)
    envelope = envelope_for(required, requirements, PAYMENT_ID)
    meeting.headers.append(payment_header(envelope, meeting.wallet.sign(authorization)))


def _chain(request: HttpRequest) -> HttpResponse:
    """An honest node: number seven for the next Permit, a new blockhash."""
    match question_in(request)[0]:
        case "eth_call":
            return answered(f"0x{7:064x}")
        case "eth_getBlockByNumber":
            return answered({"number": "0x10", "timestamp": hex(int(NOON.timestamp()))})
        case "getLatestBlockhash":
            value = {"blockhash": OUR_BLOCKHASH, "lastValidBlockHeight": 1_150}
            return answered({"context": {"slot": 1_000}, "value": value})
        case method:
            raise AssertionError(f"nobody asks {method} here")


def _seller(wallet: WitnessedWallet) -> PayPerRequest:
    network = BASE if wallet.address.startswith("0x") else SOLANA
    return PayPerRequest(UPSTREAM, wallet, (network,))


def _venice(wallet: WitnessedWallet) -> Venice:
    return Venice(UPSTREAM, wallet, BASE)


def _nodit(wallet: WitnessedWallet) -> Nodit:
    return Nodit(ORIGIN, wallet, BASE)


def _x402layer(wallet: WitnessedWallet) -> X402Layer:
    network = BASE if wallet.address.startswith("0x") else SOLANA
    return X402Layer(f"{ORIGIN}/e/slug", wallet.address, network)


def _with_node() -> WitnessedWallet:
    return solana_wallet({SOLANA: RPC})


def _bare_with_node() -> WitnessedWallet:
    return solana_wallet({SOLANA: RPC}, BARE)


_OPEN = Rules(BASE)
_PINNED = Rules(BASE, pay_to=frozenset({SELLER}))
_SOLANA = Rules(SOLANA)
# What may be paid at all is far above what one top-up may cost, which is the provider's to hold.
_CREDIT = Rules(BASE, cap=20 * TOP_UP)

VICTIMS = (
    Victim("any payee", _OPEN, evm_wallet, _seller),
    Victim("one payee", _PINNED, evm_wallet, _seller),
    Victim("Solana", _SOLANA, _with_node, _seller, own_blockhash=True),
    Victim("Solana without a node", _SOLANA, solana_wallet, _seller, sure=False),
    Victim(
        "Solana, one payee",
        Rules(SOLANA, pay_to=frozenset({SOLANA_SELLER})),
        _with_node,
        _seller,
        own_blockhash=True,
    ),
    Victim(
        "LibertAI",
        Rules(BASE, schemes=frozenset({"exact", "upto"})),
        lambda: evm_wallet({BASE: RPC}),
        lambda wallet: LibertAI(UPSTREAM),
    ),
    Victim("Venice", _OPEN, evm_wallet, _venice, sure=False),
    Victim("Nodit", _OPEN, evm_wallet, _nodit, f"{ORIGIN}/pay-per-use/chat", sure=False),
    Victim("x402layer", _OPEN, evm_wallet, _x402layer, f"{ORIGIN}/e/slug", sure=False),
    Victim("Venice's credit", _CREDIT, evm_wallet, _venice, charge=_venice, sure=False),
    Victim("Nodit's credit", _CREDIT, evm_wallet, _nodit, charge=_nodit, sure=False),
    Victim("x402layer's credit", _CREDIT, evm_wallet, _x402layer, charge=_x402layer, sure=False),
    Victim(
        "x402layer's credit on Solana",
        Rules(SOLANA, cap=20 * TOP_UP),
        _bare_with_node,
        _x402layer,
        charge=_x402layer,
        sure=False,
        own_blockhash=True,
    ),
)
