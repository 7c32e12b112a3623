"""Solana's fixed addresses, and the accounts that a token needs.

Written apart from the wallet's own code, so that a mistake there is not repeated here.
"""

from __future__ import annotations

from solders.account import Account
from solders.pubkey import Pubkey
from solders.token.state import Mint, TokenAccount, TokenAccountState

COMPUTE_BUDGET = Pubkey.from_string("ComputeBudget111111111111111111111111111111")
TOKEN = Pubkey.from_string("TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA")
ASSOCIATED_TOKEN = Pubkey.from_string("ATokenGPvbdGVxr1b2hvZbsiqW5xWH25efTNsLJA8knL")
MEMO = Pubkey.from_string("MemoSq4gqABAXKb96qnH8TysNcWxMyWCqXgDLGmfcHr")
LIGHTHOUSE = Pubkey.from_string("L2TExMFKdjpN9kozasaurPirfHy9P8sbXoAN1qA3S95")

SET_COMPUTE_UNIT_LIMIT = 2
SET_COMPUTE_UNIT_PRICE = 3
TRANSFER_CHECKED = 12

DECIMALS = 6
MINT_BYTES = 82
TOKEN_ACCOUNT_BYTES = 165
SUPPLY = 10**16

# The first 32 characters are the reference of the CAIP-2 id.
GENESIS_HASHES = {
    "solana:5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp": "5eykt4UsFv8P8NJdTREpY1vzqKqZKvdpKuc147dw2N9d",
    "solana:EtWTRABZaYq6iMfeYKouRu166VU2xqa1": "EtWTRABZaYq6iMfeYKouRu166VU2xqa1wcaWoxPkrZBG",
}


def genesis_hash_of(network: str) -> str:
    """The genesis hash of a Solana network by its CAIP-2 id."""
    return GENESIS_HASHES[network]


def token_account_of(owner: Pubkey, mint: Pubkey) -> Pubkey:
    """The associated token account of this owner for a mint of the classic Token program."""
    seeds = [bytes(owner), bytes(TOKEN), bytes(mint)]
    return Pubkey.find_program_address(seeds, ASSOCIATED_TOKEN)[0]


def mint_account(lamports: int) -> Account:
    """A mint as USDC's: six decimals."""
    mint = Mint(mint_authority=None, supply=SUPPLY, decimals=DECIMALS, is_initialized=True)
    return Account(lamports, bytes(mint), TOKEN)


def token_account(owner: Pubkey, mint: Pubkey, amount: int, lamports: int) -> Account:
    """A token account that holds so much."""
    held = TokenAccount(
        mint=mint,
        owner=owner,
        amount=amount,
        delegate=None,
        state=TokenAccountState.Initialized,
        is_native=None,
        delegated_amount=0,
    )
    return Account(lamports, bytes(held), TOKEN)


def held_in(account: Account | None) -> TokenAccount | None:
    """What a token account says; None when this is none."""
    if account is None or account.owner != TOKEN or len(account.data) != TOKEN_ACCOUNT_BYTES:
        return None
    return TokenAccount.from_bytes(account.data)
