"""Solana: who pays the fee, what the memo holds, and which blocks and programs are named."""

from __future__ import annotations

from typing import Any

from tests.hostile.case import (
    BLOCKHASH,
    FEE_PAYER,
    HONEST,
    HONEST_SOLANA,
    MINT,
    SOLANA_SELLER,
    Case,
    ask,
    ask_v1,
    entry,
    on_solana,
    solana_extra,
)
from tests.hostile.wallets import EVM_ADDRESS, SOLANA_ADDRESS

TOKEN_PROGRAM = "TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA"
TOKEN_2022 = "TokenzQdBNbLqP5VEhdkAS6EPFLC1PHnBqCXEpPxuEb"
MEMO_PROGRAM = "MemoSq4gqABAXKb96qnH8TysNcWxMyWCqXgDLGmfcHr"
COMPUTE_BUDGET = "ComputeBudget111111111111111111111111111111"


def _payer(fee_payer: Any) -> Any:
    return ask(solana_extra(feePayer=fee_payer))


FEE_PAYERS = (
    Case("our key pays the fee", "fee payer", _payer(SOLANA_ADDRESS)),
    Case("the payee pays the fee", "fee payer", _payer(SOLANA_SELLER)),
    Case("the mint pays the fee", "fee payer", _payer(MINT)),
    Case("the Token program pays the fee", "fee payer", _payer(TOKEN_PROGRAM)),
    Case("the Memo program pays the fee", "fee payer", _payer(MEMO_PROGRAM)),
    Case("the compute budget pays the fee", "fee payer", _payer(COMPUTE_BUDGET)),
    Case("nobody pays the fee", "fee payer", _payer(...)),
    Case("null pays the fee", "fee payer", _payer(None)),
    Case("two pay the fee", "fee payer", _payer([FEE_PAYER, SOLANA_ADDRESS])),
    Case("an EVM address pays the fee", "fee payer", _payer(EVM_ADDRESS)),
    Case("31 bytes pay the fee", "fee payer", _payer(FEE_PAYER[:-2])),
    Case("a fee payer with a newline", "fee payer", _payer(f"{FEE_PAYER}\n")),
    Case("a fee payer with a zero for an o", "fee payer", _payer(FEE_PAYER.replace("d", "0"))),
    Case("a fee payer of ten thousand letters", "fee payer", _payer("2" * 10_000)),
    Case(
        "fee_payer beside feePayer",
        "fee payer",
        ask(solana_extra(fee_payer=SOLANA_ADDRESS)),
        (HONEST_SOLANA,),
    ),
    Case("v1: our key pays the fee", "fee payer", ask_v1(solana_extra(feePayer=SOLANA_ADDRESS))),
    Case(
        "our key pays the fee, cheaper",
        "fee payer",
        ask(solana_extra(feePayer=SOLANA_ADDRESS) | {"amount": "1"}, entry()),
        (HONEST,),
    ),
)

MEMOS = (
    Case("a memo of 257 bytes", "memo", ask(solana_extra(memo="m" * 257))),
    Case("a memo of 256 bytes", "memo", ask(solana_extra(memo="m" * 256)), (HONEST_SOLANA,)),
    Case("a memo of 200 letters, 800 bytes", "memo", ask(solana_extra(memo="\U0001f4b8" * 200))),
    Case("a memo of 20 KB", "memo", ask(solana_extra(memo="m" * 20_000))),
    Case("a memo that is a list", "memo", ask(solana_extra(memo=["a"] * 9))),
    Case("a memo that is a number", "memo", ask(solana_extra(memo=1))),
    Case("a memo that is empty", "memo", ask(solana_extra(memo="")), (HONEST_SOLANA,)),
    Case("a memo that is null", "memo", ask(solana_extra(memo=None)), (HONEST_SOLANA,)),
    Case(
        "a memo of control characters",
        "memo",
        ask(solana_extra(memo="\x00\r\n\x1b[2J\u202e")),
        (HONEST_SOLANA,),
    ),
)

# A wallet with a node of its own never looks at these; one without refuses what is no blockhash.
BLOCKS = (
    Case(
        "a blockhash that is garbage",
        "blockhash",
        ask(solana_extra(recentBlockhash="garbage!")),
        (HONEST_SOLANA,),
    ),
    Case(
        "a blockhash that is a list",
        "blockhash",
        ask(solana_extra(recentBlockhash=[BLOCKHASH])),
        (HONEST_SOLANA,),
    ),
    Case(
        "a blockhash of 10 KB",
        "blockhash",
        ask(solana_extra(recentBlockhash="2" * 10_000)),
        (HONEST_SOLANA,),
    ),
    Case("no blockhash", "blockhash", ask(solana_extra(recentBlockhash=...)), (HONEST_SOLANA,)),
    Case(
        "a blockhash that is our own key",
        "blockhash",
        ask(solana_extra(recentBlockhash=SOLANA_ADDRESS)),
        (HONEST_SOLANA,),
    ),
    Case(
        "a last height of for ever",
        "blockhash",
        ask(solana_extra(lastValidBlockHeight=2**64)),
        (HONEST_SOLANA,),
    ),
    Case(
        "a durable nonce",
        "blockhash",
        ask(solana_extra(nonceAccount=SOLANA_SELLER, durable=True)),
        (HONEST_SOLANA,),
    ),
)

PROGRAMS = (
    Case(
        "a Token program of the seller's",
        "program",
        ask(solana_extra(tokenProgram=TOKEN_2022)),
        (HONEST_SOLANA,),
    ),
    Case("decimals of the seller's", "program", ask(solana_extra(decimals=9)), (HONEST_SOLANA,)),
    Case(
        "instructions of the seller's",
        "program",
        ask(solana_extra(instructions=[{"programId": TOKEN_2022, "data": "BwAA"}])),
        (HONEST_SOLANA,),
    ),
    Case(
        "lookup tables of the seller's",
        "program",
        ask(solana_extra(addressLookupTables=[SOLANA_SELLER])),
        (HONEST_SOLANA,),
    ),
    Case(
        "a compute price of the seller's",
        "program",
        ask(solana_extra(computeUnitPrice=2**63, computeUnitLimit=1_400_000)),
        (HONEST_SOLANA,),
    ),
    Case("a transfer method on Solana", "program", ask(solana_extra(assetTransferMethod="spl"))),
    Case("a Permit on Solana", "program", ask(solana_extra(primaryType="Permit"))),
    Case("the System program is paid", "program", ask(on_solana(payTo="1" * 32))),
    Case("the Token program is the token", "program", ask(on_solana(asset=TOKEN_PROGRAM))),
)

CASES = (*FEE_PAYERS, *MEMOS, *BLOCKS, *PROGRAMS)
