"""Solana's JSON-RPC answers as a validator does, over a real socket."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from solders.keypair import Keypair
from solders.pubkey import Pubkey
from solders.rpc.responses import (
    GetAccountInfoMaybeJsonParsedResp,
    GetAccountInfoResp,
    GetLatestBlockhashResp,
    GetSignaturesForAddressResp,
    GetSignatureStatusesResp,
    GetTokenAccountBalanceResp,
    GetTransactionResp,
    SendTransactionResp,
    SimulateTransactionResp,
)
from solders.transaction import VersionedTransaction

from sidecar.chains import SOLANA
from sidecar.sandbox import SandboxOptions
from sidecar.sandbox.solana import Ledger, Tendered, base58
from sidecar.sandbox.vendors.options import SOLANA_PAY_TO, VendorOptions
from tests.unit.sandbox.client import Buyer
from tests.unit.sandbox.conftest import Open
from tests.unit.sandbox.solana.building import (
    DEVNET_USDC,
    FUNDS,
    PAYER,
    PRICE,
    Build,
    encoded,
    memo,
)

PAY_TO = Pubkey.from_string(SOLANA_PAY_TO)
PROCESSED = {"commitment": "processed"}
CONFIRMED = {"commitment": "confirmed"}


@pytest.fixture
def ledger(buyer: Buyer) -> Ledger:
    """The sandbox's Solana, and a payer with money on it."""
    buyer.sandbox.solana.fund(str(PAYER.pubkey()), FUNDS)
    return buyer.sandbox.solana


async def ask(buyer: Buyer, method: str, *params: object) -> Any:
    """The whole answer."""
    body = json.dumps({"jsonrpc": "2.0", "id": 7, "method": method, "params": params})
    return (await buyer.send("POST", "/rpc/solana", body.encode())).json


async def rpc(buyer: Buyer, method: str, *params: object) -> Any:
    """The result, or the error's code."""
    answer = await ask(buyer, method, *params)
    return answer["result"] if "result" in answer else answer["error"]["code"]


def built(ledger: Ledger, text: bytes = memo().data, **change: Any) -> VersionedTransaction:
    """A transaction with both signatures."""
    build = Build(
        ledger.fee_payer,
        ledger.blocks.head().blockhash,
        pay_to=PAY_TO,
        rest=(memo(text),),
        **change,
    )
    return ledger.signed(Tendered(build.signed(), PAYER.pubkey(), build.amount, None))


async def send(buyer: Buyer, transaction: VersionedTransaction, **config: object) -> Any:
    return await rpc(
        buyer, "sendTransaction", encoded(transaction), {"encoding": "base64", **config}
    )


def parsed(kind: Any, answer: object) -> Any:
    """The answer as the stock Solana client reads it, which must be no error."""
    found = kind.from_json(json.dumps(answer))
    assert hasattr(found, "value"), found
    return found.value


# --- blocks ---


async def test_names(buyer: Buyer) -> None:
    """The network names itself by the genesis hash that its CAIP-2 id begins with."""
    genesis = await rpc(buyer, "getGenesisHash")

    assert "EtWTRABZaYq6iMfeYKouRu166VU2xqa1wcaWoxPkrZBG" == genesis
    assert buyer.sandbox.solana.network == f"solana:{genesis[:32]}"
    assert "ok" == await rpc(buyer, "getHealth")
    assert "solana-core" in await rpc(buyer, "getVersion")


async def test_mainnet(shop: Open) -> None:
    """It can be mainnet, with mainnet's USDC."""
    buyer = await shop(SandboxOptions(vendors=VendorOptions(solana_network=SOLANA)))
    mint = "EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v"
    found = await rpc(buyer, "getAccountInfo", mint, {"encoding": "jsonParsed"})

    assert "5eykt4UsFv8P8NJdTREpY1vzqKqZKvdpKuc147dw2N9d" == await rpc(buyer, "getGenesisHash")
    assert 6 == found["value"]["data"]["parsed"]["info"]["decimals"]


async def test_heights(buyer: Buyer) -> None:
    """Heights and slots are those of the commitment, finalized where none is given."""
    found = [
        await rpc(buyer, "getBlockHeight", {"commitment": one})
        for one in ("processed", "confirmed", "finalized")
    ]
    slot = await rpc(buyer, "getSlot")

    assert [0, 1, 5] == [found[0] - height for height in found]
    assert found[2] == await rpc(buyer, "getBlockHeight")
    assert slot > found[2]
    assert buyer.now_s - 2 == await rpc(buyer, "getBlockTime", slot)
    assert -32_004 == await rpc(buyer, "getBlockTime", slot + 6)
    assert -32_602 == await rpc(buyer, "getBlockTime", -1)
    assert -32_602 == await rpc(buyer, "getSlot", {"commitment": "max"})


async def test_epoch(buyer: Buyer) -> None:
    """Slot and height are read at one moment; and no block has been forgotten."""
    info = await rpc(buyer, "getEpochInfo", CONFIRMED)

    assert (
        await rpc(buyer, "getSlot", CONFIRMED),
        await rpc(buyer, "getBlockHeight", CONFIRMED),
    ) == (
        info["absoluteSlot"],
        info["blockHeight"],
    )
    assert info["absoluteSlot"] == info["epoch"] * info["slotsInEpoch"] + info["slotIndex"]
    assert 0 == await rpc(buyer, "getFirstAvailableBlock")


async def test_min_context_slot(buyer: Buyer) -> None:
    """A reader who has seen a later slot is told so."""
    slot = await rpc(buyer, "getSlot")

    assert slot == await rpc(buyer, "getSlot", {"minContextSlot": slot})
    assert -32_016 == await rpc(buyer, "getSlot", {"minContextSlot": slot + 1})


async def test_latest_blockhash(buyer: Buyer) -> None:
    """The newest blockhash of the commitment is good until 150 blocks after it."""
    document = await ask(buyer, "getLatestBlockhash", CONFIRMED)
    found = parsed(GetLatestBlockhashResp, document)
    height = await rpc(buyer, "getBlockHeight", CONFIRMED)
    blockhash = str(found.blockhash)

    assert height + 150 == found.last_valid_block_height
    assert (await rpc(buyer, "isBlockhashValid", blockhash, CONFIRMED))["value"] is True
    assert (await rpc(buyer, "isBlockhashValid", blockhash))["value"] is False
    await rpc(buyer, "sandbox_advanceBlocks", 150)
    assert (await rpc(buyer, "isBlockhashValid", blockhash, CONFIRMED))["value"] is True
    await rpc(buyer, "sandbox_advanceBlocks", 1)
    assert (await rpc(buyer, "isBlockhashValid", blockhash, CONFIRMED))["value"] is False
    assert height + 151 == await rpc(buyer, "getBlockHeight", CONFIRMED)


# --- accounts ---


async def test_accounts(buyer: Buyer, ledger: Ledger) -> None:
    """The mint and a token account are what the Token program has made of them."""
    mint = await ask(buyer, "getAccountInfo", str(DEVNET_USDC), {"encoding": "base64"})
    found = parsed(GetAccountInfoResp, mint)
    source = str(ledger.token_account(PAYER.pubkey()))
    held = await ask(buyer, "getAccountInfo", source, {"encoding": "jsonParsed"})
    info = held["result"]["value"]["data"]["parsed"]["info"]

    assert parsed(GetAccountInfoMaybeJsonParsedResp, held) is not None
    assert "TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA" == str(found.owner)
    assert 6 == found.data[44]
    assert (str(PAYER.pubkey()), str(FUNDS)) == (info["owner"], info["tokenAmount"]["amount"])
    nobody = str(Keypair().pubkey())
    assert (await rpc(buyer, "getAccountInfo", nobody))["value"] is None
    assert -32_600 == await rpc(buyer, "getAccountInfo", source)
    assert -32_602 == await rpc(buyer, "getAccountInfo", "0")
    assert -32_602 == await rpc(buyer, "getAccountInfo", source, {"encoding": "xml"})


async def test_small_account_in_base58(buyer: Buyer) -> None:
    """Base58 is what comes without an encoding, for accounts that are small."""
    plain = (await rpc(buyer, "getAccountInfo", str(DEVNET_USDC)))["value"]["data"]
    named, encoding = (
        await rpc(buyer, "getAccountInfo", str(DEVNET_USDC), {"encoding": "base58"})
    )["value"]["data"]

    assert (plain, "base58") == (named, encoding)
    assert 82 == len(base58.decoded(plain))


async def test_balances(buyer: Buyer, ledger: Ledger) -> None:
    """A token balance is as of the commitment; an address that holds none is refused."""
    source = str(ledger.token_account(PAYER.pubkey()))
    await send(buyer, built(ledger))
    document = await ask(buyer, "getTokenAccountBalance", source, PROCESSED)
    found = parsed(GetTokenAccountBalanceResp, document)
    young = await rpc(buyer, "getTokenAccountBalance", source)
    account = await rpc(buyer, "getAccountInfo", source, {"encoding": "jsonParsed"})

    assert (str(FUNDS - PRICE), 6, "0.99") == (
        found.amount,
        found.decimals,
        found.ui_amount_string,
    )
    assert str(FUNDS) == young["value"]["amount"]
    assert str(FUNDS) == account["value"]["data"]["parsed"]["info"]["tokenAmount"]["amount"]
    nobody = await ask(buyer, "getTokenAccountBalance", str(Keypair().pubkey()))
    assert (-32_602, "Invalid param: could not find account") == (
        nobody["error"]["code"],
        nobody["error"]["message"],
    )
    wrong = await ask(buyer, "getTokenAccountBalance", str(DEVNET_USDC))
    assert "Invalid param: not a Token account" == wrong["error"]["message"]


async def test_lamports(buyer: Buyer, ledger: Ledger) -> None:
    """The fee payer has SOL, the payer needs none."""
    fee_payer = await rpc(buyer, "getBalance", str(ledger.fee_payer))

    assert 10**9 < fee_payer["value"]
    assert 0 == (await rpc(buyer, "getBalance", str(PAYER.pubkey())))["value"]
    assert 2_039_280 == await rpc(buyer, "getMinimumBalanceForRentExemption", 165)


async def test_fund(buyer: Buyer) -> None:
    """A test in another process can give an owner money."""
    owner = str(Keypair().pubkey())

    assert 5 == await rpc(buyer, "sandbox_fund", owner, 5)
    assert 11 == await rpc(buyer, "sandbox_fund", owner, 6)
    assert -32_602 == await rpc(buyer, "sandbox_fund", owner, "5")
    assert -32_602 == await rpc(buyer, "sandbox_advanceBlocks", 10**9)


# --- transactions ---


async def test_send(buyer: Buyer, ledger: Ledger) -> None:
    """What is sent is executed, and its name comes back."""
    transaction = built(ledger)
    document = await ask(buyer, "sendTransaction", encoded(transaction), {"encoding": "base64"})
    found = parsed(SendTransactionResp, document)

    assert transaction.signatures[0] == found
    assert FUNDS - PRICE == ledger.balance(str(PAYER.pubkey()))


async def test_send_base58(buyer: Buyer, ledger: Ledger) -> None:
    """Without an encoding a transaction is in base58."""
    transaction = built(ledger)
    signature = await rpc(buyer, "sendTransaction", base58.encoded(bytes(transaction)))

    assert str(transaction.signatures[0]) == signature
    assert -32_602 == await rpc(buyer, "sendTransaction", encoded(transaction))


async def test_preflight(buyer: Buyer, ledger: Ledger) -> None:
    """A transaction that would fail is refused before it is sent, with what it would do."""
    poor = await ask(
        buyer, "sendTransaction", encoded(built(ledger, amount=FUNDS + 1)), {"encoding": "base64"}
    )
    stale = built(ledger, b"stale")
    await rpc(buyer, "sandbox_advanceBlocks", 151)
    expired = await ask(buyer, "sendTransaction", encoded(stale), {"encoding": "base64"})

    assert -32_002 == poor["error"]["code"]
    assert {"InstructionError": [2, {"Custom": 1}]} == poor["error"]["data"]["err"]
    assert "custom program error: 0x1" in poor["error"]["message"]
    assert "Transaction simulation failed: Blockhash not found" == expired["error"]["message"]
    assert () == ledger.history.all


async def test_unsigned(buyer: Buyer, ledger: Ledger) -> None:
    """A transaction that somebody has not signed is refused, sent or simulated."""
    unsigned = Build(ledger.fee_payer, ledger.blocks.head().blockhash, pay_to=PAY_TO).base64()

    assert -32_003 == await rpc(buyer, "sendTransaction", unsigned, {"encoding": "base64"})
    assert -32_003 == await rpc(
        buyer, "simulateTransaction", unsigned, {"encoding": "base64", "sigVerify": True}
    )
    found = await rpc(buyer, "simulateTransaction", unsigned, {"encoding": "base64"})
    assert found["value"]["err"] is None


async def test_skipped_preflight(buyer: Buyer, ledger: Ledger) -> None:
    """Without a preflight a failing transaction lands, and one that cannot land is forgotten."""
    failing = built(ledger, amount=FUNDS + 1)
    name = await send(buyer, failing, skipPreflight=True)
    again = await send(buyer, failing, skipPreflight=True)
    (status,) = (await rpc(buyer, "getSignatureStatuses", [name]))["value"]

    assert str(failing.signatures[0]) == name == again
    assert {"Err": {"InstructionError": [2, {"Custom": 1}]}} == status["status"]
    assert 1 == len(ledger.history.all)


async def test_simulate(buyer: Buyer, ledger: Ledger) -> None:
    """A simulation tells what would happen, and changes nothing."""
    config = {"encoding": "base64", "sigVerify": True, "commitment": "confirmed"}
    document = await ask(buyer, "simulateTransaction", encoded(built(ledger)), config)
    found = parsed(SimulateTransactionResp, document)

    assert found.err is None
    assert 0 < (found.units_consumed or 0) <= 20_000
    assert FUNDS == ledger.balance(str(PAYER.pubkey()))


async def test_simulate_with_another_blockhash(buyer: Buyer, ledger: Ledger) -> None:
    """A stale transaction can be tried under a new blockhash, if its signatures do not count."""
    stale = encoded(built(ledger))
    await rpc(buyer, "sandbox_advanceBlocks", 200)
    plain = await rpc(buyer, "simulateTransaction", stale, {"encoding": "base64"})
    config = {"encoding": "base64", "replaceRecentBlockhash": True}
    replaced = await rpc(buyer, "simulateTransaction", stale, config)

    assert "BlockhashNotFound" == plain["value"]["err"]
    assert replaced["value"]["err"] is None
    assert "lastValidBlockHeight" in replaced["value"]["replacementBlockhash"]
    assert -32_602 == await rpc(buyer, "simulateTransaction", stale, config | {"sigVerify": True})


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("AAAA", "base64"),
        ("!", "base64"),
        ("0OIl", "base58"),
        ("1" * 1_684, "base58"),
        (base64.b64encode(bytes(2_000)).decode(), "base64"),
        ("AAAA", "hex"),
    ],
)
async def test_not_a_transaction(buyer: Buyer, text: str, encoding: str) -> None:
    """What is not a transaction is refused as such."""
    for method in ("sendTransaction", "simulateTransaction"):
        assert -32_602 == await rpc(buyer, method, text, {"encoding": encoding})


# --- history ---


async def test_statuses(buyer: Buyer, ledger: Ledger) -> None:
    """A transaction is processed, confirmed one block later, finalized when its block is."""
    signature = await send(buyer, built(ledger))
    unknown = str(built(ledger, b"unknown").signatures[0])
    seen = []
    for blocks in (0, 1, 4):
        await rpc(buyer, "sandbox_advanceBlocks", blocks)
        document = await ask(buyer, "getSignatureStatuses", [signature, unknown])
        parsed(GetSignatureStatusesResp, document)
        status, nothing = document["result"]["value"]
        seen.append((status["confirmationStatus"], status["confirmations"], nothing))

    assert [("processed", 0, None), ("confirmed", 1, None), ("finalized", None, None)] == seen


async def test_old_statuses(buyer: Buyer, ledger: Ledger) -> None:
    """After 300 blocks a status is found only by searching the history."""
    signature = await send(buyer, built(ledger))
    await rpc(buyer, "sandbox_advanceBlocks", 301)
    (recent,) = (await rpc(buyer, "getSignatureStatuses", [signature]))["value"]
    whole = {"searchTransactionHistory": True}
    (found,) = (await rpc(buyer, "getSignatureStatuses", [signature], whole))["value"]

    assert recent is None
    assert "finalized" == found["confirmationStatus"]
    assert -32_602 == await rpc(buyer, "getSignatureStatuses", ["x"])
    assert -32_602 == await rpc(buyer, "getSignatureStatuses", [signature] * 257)


async def test_signatures(buyer: Buyer, ledger: Ledger) -> None:
    """The history of a token account is told newest first, with memo, error, slot and time."""
    source = str(ledger.token_account(PAYER.pubkey()))
    first = await send(buyer, built(ledger, b"one"))
    await rpc(buyer, "sandbox_advanceBlocks", 3)
    failed = await send(buyer, built(ledger, b"two", amount=FUNDS), skipPreflight=True)
    young = await rpc(buyer, "getSignaturesForAddress", source)
    await rpc(buyer, "sandbox_advanceBlocks", 5)
    document = await ask(buyer, "getSignaturesForAddress", source)
    parsed(GetSignaturesForAddressResp, document)
    newest, oldest = document["result"]

    assert [] == young
    assert (failed, "[3] two", "finalized") == (
        newest["signature"],
        newest["memo"],
        newest["confirmationStatus"],
    )
    assert (first, "[3] one", None) == (oldest["signature"], oldest["memo"], oldest["err"])
    assert {"InstructionError": [2, {"Custom": 1}]} == newest["err"]
    assert 3 == newest["slot"] - oldest["slot"]
    assert buyer.now_s == oldest["blockTime"]


async def test_pages(buyer: Buyer, ledger: Ledger) -> None:
    """A long history is read in pages, from before one signature and until another."""
    names = [await send(buyer, built(ledger, b"%d" % number)) for number in range(5)]
    await rpc(buyer, "sandbox_advanceBlocks", 5)
    source = str(ledger.token_account(PAYER.pubkey()))
    newest = names[::-1]

    async def page(**config: object) -> list[str]:
        found = await rpc(buyer, "getSignaturesForAddress", source, config)
        return [one["signature"] for one in found]

    assert newest == await page()
    assert newest[:2] == await page(limit=2)
    assert newest[2:4] == await page(limit=2, before=newest[1])
    assert newest[:3] == await page(until=newest[3])
    assert newest[1:3] == await page(before=newest[0], until=newest[3])
    nobody = str(built(ledger, b"nobody").signatures[0])
    assert [] == await page(before=nobody)
    assert newest == await page(until=nobody)


@pytest.mark.parametrize(
    "config",
    [{"limit": 0}, {"limit": 1_001}, {"before": "x"}, {"commitment": "processed"}, []],
)
async def test_page_limits(buyer: Buyer, ledger: Ledger, config: object) -> None:
    """A page has at most 1,000 entries, and none that is only processed."""
    source = str(ledger.token_account(PAYER.pubkey()))

    assert -32_602 == await rpc(buyer, "getSignaturesForAddress", source, config)


@pytest.mark.parametrize("encoding", ["json", "jsonParsed", "base64", "base58"])
async def test_transaction(buyer: Buyer, ledger: Ledger, encoding: str) -> None:
    """A transaction is found with its effects, once its block is confirmed."""
    signature = await send(buyer, built(ledger))
    config = {"encoding": encoding, "commitment": "confirmed", "maxSupportedTransactionVersion": 0}
    young = await rpc(buyer, "getTransaction", signature, config)
    await rpc(buyer, "sandbox_advanceBlocks", 1)
    document = await ask(buyer, "getTransaction", signature, config)
    parsed(GetTransactionResp, document)
    shown = document["result"]
    before, after = (
        {one["owner"]: one["uiTokenAmount"]["amount"] for one in shown["meta"][key]}
        for key in ("preTokenBalances", "postTokenBalances")
    )

    assert young is None
    assert (0, None, 10_001) == (shown["version"], shown["meta"]["err"], shown["meta"]["fee"])
    assert {str(PAYER.pubkey()): str(FUNDS), SOLANA_PAY_TO: "0"} == before
    assert {str(PAYER.pubkey()): str(FUNDS - PRICE), SOLANA_PAY_TO: str(PRICE)} == after


async def test_parsed_transaction(buyer: Buyer, ledger: Ledger) -> None:
    """Parsed, a payment says what it transfers, from whom, and its memo."""
    signature = await send(buyer, built(ledger, b"inv-42"))
    await rpc(buyer, "sandbox_advanceBlocks", 5)
    config = {"encoding": "jsonParsed", "maxSupportedTransactionVersion": 0}
    message = (await rpc(buyer, "getTransaction", signature, config))["transaction"]["message"]
    transfer, written = message["instructions"][2:]
    writable = [key["pubkey"] for key in message["accountKeys"] if key["writable"]]
    signers = [key["pubkey"] for key in message["accountKeys"] if key["signer"]]

    assert str(PRICE) == transfer["parsed"]["info"]["tokenAmount"]["amount"]
    assert str(PAYER.pubkey()) == transfer["parsed"]["info"]["authority"]
    assert ("spl-memo", "inv-42") == (written["program"], written["parsed"])
    assert [str(ledger.fee_payer), str(PAYER.pubkey())] == signers
    assert {
        str(ledger.fee_payer),
        str(ledger.token_account(PAYER.pubkey())),
        str(ledger.token_account(PAY_TO)),
    } == set(writable)


async def test_transaction_versions(buyer: Buyer, ledger: Ledger) -> None:
    """A reader that does not know version 0 is told so; an unknown transaction is null."""
    signature = await send(buyer, built(ledger))
    await rpc(buyer, "sandbox_advanceBlocks", 5)
    unknown = str(built(ledger, b"unknown").signatures[0])

    assert -32_015 == await rpc(buyer, "getTransaction", signature, "json")
    assert -32_015 == await rpc(buyer, "getTransaction", signature)
    assert await rpc(buyer, "getTransaction", unknown) is None
    assert -32_602 == await rpc(buyer, "getTransaction", signature, PROCESSED)
    assert -32_602 == await rpc(
        buyer, "getTransaction", signature, {"encoding": "x", "maxSupportedTransactionVersion": 0}
    )


async def test_due_before_anybody_looks(buyer: Buyer, ledger: Ledger) -> None:
    """What was submitted to land later has landed before the next question is answered."""
    build = Build(ledger.fee_payer, ledger.blocks.head().blockhash, pay_to=PAY_TO)
    tendered = Tendered(build.signed(), PAYER.pubkey(), PRICE, None)
    signature = ledger.submit(tendered, delay_s=3)
    (early,) = (await rpc(buyer, "getSignatureStatuses", [signature]))["value"]
    buyer.clock.advance(4)
    (late,) = (await rpc(buyer, "getSignatureStatuses", [signature]))["value"]

    assert early is None
    assert "confirmed" == late["confirmationStatus"]


async def test_malformed(buyer: Buyer) -> None:
    """A method that is not there has a code of its own."""
    assert -32_601 == await rpc(buyer, "getBlock")
    assert -32_602 == await rpc(buyer, "getBalance")
