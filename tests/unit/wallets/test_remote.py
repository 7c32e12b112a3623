"""The wallet whose key is elsewhere: what it asks, and what it takes for an answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from sidecar.chains import SOLANA, usdc_on
from sidecar.errors import SignerAwayError, SignerRefusedError, WalletBusyError, WalletError
from sidecar.money import Usdc
from sidecar.refusal import Denied
from sidecar.siwx import SignIn, SignInMessage
from sidecar.wallets import PaymentSigner
from sidecar.wallets.evm import EvmAccount, EvmWallet
from sidecar.wallets.keys import usdc_account
from sidecar.wallets.remote import RemoteWallet, account_of, remote_wallet
from sidecar.wallets.solana import SolanaWallet, token_account
from sidecar.wallets.solana_layout import BARE
from sidecar.x402.types import Authorization, PaymentRequirements
from tests.world.exchanges import answered, hold, in_silence, question_in
from tests.world.fakes import NOON

KEY = b"\x01" * 32
SEED = bytes(range(32))
PAYEE = "0x2670B922ef37C7Df47158725C0CC407b5382293F"
NONCE = b"\xab" * 32
EVM = PaymentRequirements(
    scheme="exact",
    network="eip155:8453",
    asset=usdc_on("eip155:8453").address,
    amount="1000",
    pay_to=PAYEE,
    max_timeout_seconds=60,
    extra={},
    original={},
)
ON_SOLANA = replace(
    EVM,
    network=SOLANA,
    asset=usdc_on(SOLANA).address,
    pay_to="8qUL23aSj7mDWdoLMXGHFvnVCT9wd7jXcysiekroADEL",
    extra={
        "feePayer": "BFK9TLC3edb13K6v4YyH3DwPb5DSUpkWvb7XnqCL9b4F",
        "recentBlockhash": "EkSnNWid2cvwEVnVx9aBqawnmiCNiDgp3gUdkDPTKN1N",
    },
)
MESSAGE = SignInMessage(
    domain="seller.example",
    address=EvmWallet(KEY).address,
    uri="https://seller.example/v1",
    network="eip155:8453",
    nonce="abcdefgh12345678",
    issued_at="2026-01-02T03:04:05Z",
    resources=("https://seller.example/v1",),
)


class Line:
    """A signer that always says the same, and remembers what it was asked."""

    def __init__(self, answer: object) -> None:
        self.says = answer
        self.asked: list[Mapping[str, Any]] = []

    def ask(self, question: Mapping[str, Any]) -> Any:
        self.asked.append(question)
        if isinstance(self.says, WalletError):
            raise self.says
        return self.says

    async def answer(self, question: Mapping[str, Any]) -> Any:
        return self.ask(question)


def evm(answer: object = None) -> tuple[RemoteWallet, Line]:
    """A wallet on EVM, and the line to its signer."""
    line = Line(answer)
    account = account_of("evm", EvmWallet(KEY).address, {"eip155:8453": "https://rpc.example"})
    return RemoteWallet(account, line), line


def solana() -> RemoteWallet:
    """A wallet on Solana."""
    return RemoteWallet(account_of("solana", SolanaWallet(SEED, {}).address, {}), Line({}))


def drawn_up(wallet: PaymentSigner, requirements: PaymentRequirements) -> Authorization:
    """The authorization that this wallet draws up, without a question to anybody."""
    return in_silence(wallet.authorize(requirements, Usdc(1_000), NONCE, NOON, 60))


def test_is_a_wallet() -> None:
    """It serves whoever wants a PaymentSigner or a SignIn, and shows its address only."""
    wallet, _ = evm()
    signer: PaymentSigner = wallet
    sign_in: SignIn = wallet

    assert EvmWallet(KEY).address == signer.address == sign_in.address
    assert f"RemoteWallet({signer.address})" == repr(wallet)


def test_draws_up() -> None:
    """It draws up what the wallet with the key would, and asks the signer nothing for it."""
    wallet, line = evm()

    assert drawn_up(EvmWallet(KEY), EVM) == drawn_up(wallet, EVM)
    assert drawn_up(SolanaWallet(SEED, {}), ON_SOLANA) == drawn_up(solana(), ON_SOLANA)
    assert [] == line.asked


async def test_admit() -> None:
    """It asks for admission by all that the authorization says; a no is a refusal, and not ours."""
    wallet, line = evm({})
    authorization = drawn_up(wallet, EVM)
    admitted = await wallet.admit(authorization)
    await wallet.payload(authorization)

    assert admitted is None
    assert ["admit", "sign"] == [question["method"] for question in line.asked]
    assert line.asked[0]["authorization"] == line.asked[1]["authorization"]

    line.says = SignerRefusedError("the signer refuses (window: 1.00 USDC)")
    assert Denied("signer_refused", "the signer refuses (window: 1.00 USDC)") == (
        await wallet.admit(authorization)
    )
    line.says = SignerAwayError("nobody there")
    with pytest.raises(SignerAwayError):
        await wallet.admit(authorization)


async def test_key_holder() -> None:
    """A wallet that holds its own key admits all, and signs as it always does."""
    wallet = EvmWallet(KEY)
    authorization = drawn_up(wallet, EVM)

    assert await wallet.admit(authorization) is None
    assert wallet.sign(authorization) == await wallet.payload(authorization)


async def test_sign() -> None:
    """It asks for a signature by all that the authorization says, and gives the answer on."""
    payload = {"signature": "0x"}
    wallet, line = evm(payload)
    authorization = drawn_up(wallet, EVM)

    assert payload == await wallet.payload(authorization)
    said = {
        "network": "eip155:8453",
        "identity": "0x" + "ab" * 32,
        "expires_at": int(NOON.timestamp()) + 60,
        "fields": authorization.fields,
    }
    assert [{"method": "sign", "authorization": said}] == line.asked


async def test_sign_malformed() -> None:
    """What no wallet of this address would sign is not asked for."""
    wallet, line = evm({})
    authorization = replace(drawn_up(wallet, EVM), identity="another")

    with pytest.raises(WalletError, match="not this authorization's"):
        await wallet.payload(authorization)
    assert [] == line.asked


async def test_permit_in_order() -> None:
    """After it had a Permit signed, it draws no other up with that number until it expired."""
    wallet, _ = evm({})
    wanted = replace(EVM, scheme="upto", extra={"primaryType": "Permit"})

    def chain(request: Any) -> Any:
        block = {"number": "0x9", "timestamp": "0x1", "hash": "0x" + "00" * 32}
        asked = question_in(request)[0]
        return answered(f"0x{3:064x}" if asked == "eth_call" else block)

    first = hold(wallet.authorize(wanted, Usdc(1_000), NONCE, NOON, 60), chain)
    await wallet.payload(first)
    with pytest.raises(WalletBusyError):
        hold(wallet.authorize(wanted, Usdc(1_000), NONCE, NOON, 60), chain)


def test_sign_in() -> None:
    """It asks for a sign-in by the message's fields; the ones that are not there are left out."""
    wallet, line = evm("0xsigned")

    assert "0xsigned" == wallet.sign_in(MESSAGE)
    said = {
        "domain": "seller.example",
        "address": MESSAGE.address,
        "uri": "https://seller.example/v1",
        "network": "eip155:8453",
        "nonce": "abcdefgh12345678",
        "issued_at": "2026-01-02T03:04:05Z",
        "resources": ("https://seller.example/v1",),
        "version": "1",
    }
    assert [{"method": "sign_in", "message": said}] == line.asked


async def test_odd_answers() -> None:
    """An answer that is no signature, no payload or no address is a wallet's fault."""
    wallet, line = evm([])
    authorization = drawn_up(wallet, EVM)

    with pytest.raises(WalletError, match="not a signature"):
        wallet.sign_in(MESSAGE)
    with pytest.raises(WalletError, match="not a payload"):
        await wallet.payload(authorization)
    with pytest.raises(WalletError, match="not an address"):
        remote_wallet(line, {})
    with pytest.raises(WalletError, match="not an EVM address"):
        remote_wallet(Line({"kind": "evm", "address": "0x"}), {})


def test_names_itself() -> None:
    """A signer says which address it signs for, and of which kind."""
    for kind, address in (
        ("evm", EvmWallet(KEY).address),
        ("solana", SolanaWallet(SEED, {}).address),
    ):
        line = Line({"kind": kind, "address": address})

        wallet = remote_wallet(line, {})

        assert (kind, address) == (wallet.kind, wallet.address)
        assert [{"method": "address"}] == line.asked


def test_nonces() -> None:
    """The signer's word makes the nonces that its key makes; another answer makes none."""
    secret = EvmWallet(KEY).nonce_secret()
    wallet, line = evm(secret.reveal())

    assert secret.nonce("n", "p", 0, 0) == wallet.nonce_secret().nonce("n", "p", 0, 0)
    assert [{"method": "nonces"}] == line.asked
    with pytest.raises(WalletError, match="not a secret"):
        evm({"nonces": 1})[0].nonce_secret()


def test_layout() -> None:
    """Another layout changes what is drawn up on Solana, and nothing on EVM."""
    wallet, _ = evm()
    bare = solana().with_layout(BARE)

    assert wallet is wallet.with_layout(BARE)
    expected = drawn_up(SolanaWallet(SEED, {}).with_layout(BARE), ON_SOLANA)
    assert expected == drawn_up(bare, ON_SOLANA)


def test_usdc_account() -> None:
    """USDC is at the address itself on EVM, and in its token account on Solana."""
    wallet, _ = evm()
    owner = solana()

    assert wallet.address == usdc_account(wallet, "eip155:8453")
    assert token_account(owner.address, usdc_on(SOLANA).address) == usdc_account(owner, SOLANA)


def test_account_has_no_key() -> None:
    """An account signs nothing: it has nothing to do so with."""
    assert not hasattr(EvmAccount(PAYEE), "sign")
    assert not hasattr(EvmAccount(PAYEE), "sign_in")
