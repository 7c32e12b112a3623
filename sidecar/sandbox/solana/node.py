"""The sandbox's Solana JSON-RPC, POST /rpc/solana, as a public node serves it.

What wallets, facilitators and provers use, with a validator's own defaults: finalized where no
commitment is given, base58 where no encoding is. Two methods are the sandbox's own:

    sandbox_fund           [owner, atomic]   gives an owner so much more USDC; what it has then
    sandbox_advanceBlocks  [count]           lets blocks pass in no time; the height then
"""

from __future__ import annotations

from aiohttp import web

from sidecar.sandbox import jsonrpc
from sidecar.sandbox.jsonrpc import INVALID_PARAMS, Methods, Params, RpcError, at
from sidecar.sandbox.solana import programs, views
from sidecar.sandbox.solana.blocks import Block, Commitment
from sidecar.sandbox.solana.history import Landed
from sidecar.sandbox.solana.ledger import Ledger
from sidecar.sandbox.solana.requests import (
    Config,
    address_at,
    blockhash_at,
    number_at,
    signature_in,
    transaction_at,
)

PREFLIGHT_FAILURE = -32002
SIGNATURE_FAILURE = -32003
BLOCK_NOT_AVAILABLE = -32004
UNSUPPORTED_VERSION = -32015
SLOT_NOT_REACHED = -32016

SIGNATURES_MAX = 1_000
STATUSES_MAX = 256
# Without a search of the history, a validator tells of this many blocks only.
RECENT_BLOCKS = 300
SLOTS_IN_EPOCH = 432_000
VERSION = {"solana-core": "3.0.0", "feature-set": 0}
ADVANCE_MAX = 1_000_000
SLOTS_IN_EPOCH = 432_000


class SolanaNode:
    """Answers JSON-RPC requests about one ledger."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._blocks = ledger.blocks
        genesis_hash = programs.genesis_hash_of(ledger.network)
        self._methods: Methods = {
            "getHealth": lambda _: "ok",
            "getVersion": lambda _: VERSION,
            "getGenesisHash": lambda _: genesis_hash,
            "getSlot": lambda params: self._head(Config.at(params, 0)).slot,
            "getBlockHeight": lambda params: self._head(Config.at(params, 0)).height,
            "getEpochInfo": self._epoch_info,
            # Nothing is ever forgotten here.
            "getFirstAvailableBlock": lambda _: 0,
            "getBlockTime": self._block_time,
            "getLatestBlockhash": self._latest_blockhash,
            "isBlockhashValid": self._is_blockhash_valid,
            "getMinimumBalanceForRentExemption": lambda params: ledger.bank.rent(
                number_at(params, 0)
            ),
            "getBalance": self._balance,
            "getAccountInfo": self._account_info,
            "getTokenAccountBalance": self._token_account_balance,
            "getSignaturesForAddress": self._signatures_for_address,
            "getSignatureStatuses": self._signature_statuses,
            "getTransaction": self._transaction,
            "simulateTransaction": self._simulate,
            "sendTransaction": self._send,
            "sandbox_fund": self._fund,
            "sandbox_advanceBlocks": self._advance,
        }

    async def serve(self, request: web.Request) -> web.Response:
        """One request or a batch."""
        # Whatever was due has landed before anybody looks.
        self._ledger.catch_up()
        return await jsonrpc.serve(request, self._methods)

    # --- blocks ---

    def _head(self, config: Config) -> Block:
        head = self._blocks.head(config.commitment)
        if head.slot < config.whole("minContextSlot", 0):
            reached = {"contextSlot": head.slot}
            raise RpcError(SLOT_NOT_REACHED, "Minimum context slot has not been reached", reached)
        return head

    def _epoch_info(self, params: Params) -> object:
        head = self._head(Config.at(params, 0))
        epoch, index = divmod(head.slot, SLOTS_IN_EPOCH)
        return {
            "absoluteSlot": head.slot,
            "blockHeight": head.height,
            "epoch": epoch,
            "slotIndex": index,
            "slotsInEpoch": SLOTS_IN_EPOCH,
            "transactionCount": len(self._ledger.history.all),
        }

    def _block_time(self, params: Params) -> object:
        slot = number_at(params, 0)
        head = self._blocks.head()
        if slot > head.slot:
            raise RpcError(BLOCK_NOT_AVAILABLE, f"Block not available for slot {slot}")
        return self._blocks.at(head.height - (head.slot - slot)).timestamp

    def _latest_blockhash(self, params: Params) -> object:
        head = self._head(Config.at(params, 0))
        value = {
            "blockhash": str(head.blockhash),
            "lastValidBlockHeight": head.last_valid_height,
        }
        return _in_context(head, value)

    def _is_blockhash_valid(self, params: Params) -> object:
        config = Config.at(params, 1)
        fresh = self._blocks.is_fresh(blockhash_at(params, 0), config.commitment)
        return _in_context(self._head(config), fresh)

    # --- accounts ---

    def _balance(self, params: Params) -> object:
        head = self._head(Config.at(params, 1))
        return _in_context(head, self._ledger.bank.lamports(address_at(params, 0)))

    def _account_info(self, params: Params) -> object:
        config = Config.at(params, 1)
        head = self._head(config)
        address = address_at(params, 0)
        found = self._ledger.account(address, config.commitment)
        if found is None:
            return _in_context(head, None)
        return _in_context(head, views.account(found, config.text("encoding", "binary")))

    def _token_account_balance(self, params: Params) -> object:
        config = Config.at(params, 1)
        head = self._head(config)
        address = address_at(params, 0)
        if self._ledger.bank.account(address) is None:
            raise RpcError(INVALID_PARAMS, "Invalid param: could not find account")
        amount = self._ledger.amount(address, config.commitment)
        if amount is None:
            raise RpcError(INVALID_PARAMS, "Invalid param: not a Token account")
        return _in_context(head, views.ui_amount(amount))

    # --- history ---

    def _signatures_for_address(self, params: Params) -> object:
        config = Config.at(params, 1)
        limit = config.whole("limit", SIGNATURES_MAX)
        if not 0 < limit <= SIGNATURES_MAX:
            raise RpcError(INVALID_PARAMS, f"Invalid limit; max {SIGNATURES_MAX}")
        before, until = (
            signature_in(config.fields[key]) if config.fields.get(key) is not None else None
            for key in ("before", "until")
        )
        newest = self._blocks.head(config.settled_commitment)
        self._head(config)
        found = self._ledger.history.naming(address_at(params, 0), newest, before, until)
        return [self._told(landed) for landed in found[:limit]]

    def _told(self, landed: Landed) -> dict[str, object]:
        return {
            "signature": landed.signature,
            "slot": landed.block.slot,
            "err": landed.execution.error,
            "memo": landed.memo,
            "blockTime": landed.block.timestamp,
            "confirmationStatus": self._sureness(landed.block).value,
        }

    def _signature_statuses(self, params: Params) -> object:
        signatures = at(params, 0)
        if not isinstance(signatures, list) or len(signatures) > STATUSES_MAX:
            raise RpcError(INVALID_PARAMS, f"Too many inputs provided; max {STATUSES_MAX}")
        whole = Config.at(params, 1).flag("searchTransactionHistory")
        head = self._blocks.head()
        return _in_context(
            head, [self._status(signature_in(one), head, whole=whole) for one in signatures]
        )

    def _status(self, signature: str, head: Block, *, whole: bool) -> dict[str, object] | None:
        landed = self._ledger.history.find(signature)
        if landed is None:
            return None
        age = head.height - landed.block.height
        if age > RECENT_BLOCKS and not whole:
            return None
        error = landed.execution.error
        sureness = self._sureness(landed.block)
        return {
            "slot": landed.block.slot,
            "confirmations": None if sureness is Commitment.FINALIZED else age,
            "err": error,
            "status": {"Ok": None} if error is None else {"Err": error},
            "confirmationStatus": sureness.value,
        }

    def _sureness(self, block: Block) -> Commitment:
        for commitment in (Commitment.FINALIZED, Commitment.CONFIRMED):
            if block.height <= self._blocks.head(commitment).height:
                return commitment
        return Commitment.PROCESSED

    def _transaction(self, params: Params) -> object:
        # An encoding alone is the old way to ask.
        second = params[1] if len(params) > 1 else None
        config = Config({"encoding": second}) if isinstance(second, str) else Config.at(params, 1)
        newest = self._blocks.head(config.settled_commitment)
        landed = self._ledger.history.find(signature_in(at(params, 0)))
        if landed is None or landed.block.height > newest.height:
            return None
        shown = views.transaction(landed, config.text("encoding", "json"))
        if (
            shown["version"] != "legacy"
            and config.fields.get("maxSupportedTransactionVersion") != 0
        ):
            raise RpcError(
                UNSUPPORTED_VERSION,
                "Transaction version (0) is not supported by the requesting client. "
                "Please try the request again with the following configuration parameter: "
                '"maxSupportedTransactionVersion": 0',
            )
        return shown

    # --- transactions ---

    def _simulate(self, params: Params) -> object:
        config = Config.at(params, 1)
        transaction = transaction_at(params, 0, config.text("encoding", "base58"))
        verify, replace = config.flag("sigVerify"), config.flag("replaceRecentBlockhash")
        if verify and replace:
            raise RpcError(INVALID_PARAMS, "sigVerify may not be used with replaceRecentBlockhash")
        if verify and not all(transaction.verify_with_results()):
            raise RpcError(SIGNATURE_FAILURE, "Transaction signature verification failure")
        head = self._head(config)
        found = (
            self._ledger.bank.simulate(transaction, verify=False)
            if replace
            else self._ledger.simulate(transaction, verify=verify)
        )
        value = views.simulated(found)
        if replace:
            value["replacementBlockhash"] = {
                "blockhash": str(head.blockhash),
                "lastValidBlockHeight": head.last_valid_height,
            }
        return _in_context(head, value)

    def _send(self, params: Params) -> object:
        config = Config.at(params, 1)
        transaction = transaction_at(params, 0, config.text("encoding", "base58"))
        if not config.flag("skipPreflight"):
            if not all(transaction.verify_with_results()):
                raise RpcError(SIGNATURE_FAILURE, "Transaction signature verification failure")
            found = self._ledger.simulate(transaction)
            if found.error is not None:
                sentence = f"Transaction simulation failed: {views.sentence(found.error)}"
                raise RpcError(PREFLIGHT_FAILURE, sentence, views.simulated(found))
        # As on mainnet, the signature comes back whatever becomes of the transaction.
        self._ledger.send(transaction)
        return str(transaction.signatures[0])

    # --- the sandbox's own ---

    def _fund(self, params: Params) -> object:
        owner = str(address_at(params, 0))
        self._ledger.fund(owner, number_at(params, 1))
        return self._ledger.balance(owner)

    def _advance(self, params: Params) -> object:
        count = number_at(params, 0)
        if count > ADVANCE_MAX:
            raise RpcError(INVALID_PARAMS, f"at most {ADVANCE_MAX} blocks")
        self._ledger.advance(count)
        return self._blocks.head().height


def _in_context(head: Block, value: object) -> dict[str, object]:
    return {"context": {"apiVersion": VERSION["solana-core"], "slot": head.slot}, "value": value}
