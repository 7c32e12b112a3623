"""Receipts and refusals: what sellers say about a payment."""

from __future__ import annotations

import base64
import json

import pytest

from sidecar.http import Header
from sidecar.x402.coding import HEADER_CHARS_MAX
from sidecar.x402.receipt import Refusal, classify_refusal, read_settlement
from sidecar.x402.types import SettlementResponse

TRANSACTION = "0x" + "ab" * 32
PAID = SettlementResponse(True, TRANSACTION, "eip155:84532", "")


def receipt(name: str = "PAYMENT-RESPONSE", **fields: object) -> Header:
    """A receipt header; of a success, unless its fields say otherwise."""
    document = {"success": True, "transaction": TRANSACTION, "network": "eip155:84532", **fields}
    return name, base64.b64encode(json.dumps(document).encode()).decode()


def test_v2() -> None:
    """A v2 receipt is read; fields that we do not know do no harm."""
    assert PAID == read_settlement((receipt(payer="0x", requirements={}),))


def test_v1() -> None:
    """A v1 receipt is read: explicit nulls, the network's v1 name."""
    header = receipt("X-Payment-Response", errorReason=None, network="base-sepolia")

    assert PAID == read_settlement((header,))


def test_failure() -> None:
    """A receipt of failure keeps the seller's reason, and names no transaction."""
    header = receipt(success=False, transaction="", errorReason="insufficient\nfunds", network=None)

    assert SettlementResponse(False, "", "", "insufficient funds") == read_settlement((header,))


def test_error_message() -> None:
    """Without an errorReason the errorMessage is the reason, bounded like it."""
    result = read_settlement((receipt(success=False, errorMessage="x " * 1000),))

    assert result is not None
    assert "x " * 150 == result.error_reason


@pytest.mark.parametrize("transaction", [None, 7, "", "a b", "é", "²", "0x\n", "0x" + "a" * 127])
def test_odd_transaction(transaction: object) -> None:
    """A transaction that cannot be one is left out."""
    result = read_settlement((receipt(transaction=transaction),))

    assert result is not None
    assert "" == result.transaction


@pytest.mark.parametrize("network", [7, ["eip155:1"], "somewhere\n"])
def test_odd_network(network: object) -> None:
    """A network that we do not know is shown safely, whatever it is."""
    result = read_settlement((receipt(network=network),))

    assert result is not None
    assert result.network.isprintable()


@pytest.mark.parametrize(
    "headers",
    [
        (),
        (("PAYMENT-RESPONSE", "%%%"),),
        (("PAYMENT-RESPONSE", base64.b64encode(b"[]").decode()),),
        (("PAYMENT-RESPONSE", "A" * (HEADER_CHARS_MAX + 4)),),
        (receipt(success="true"),),
        (receipt(success=1),),
        (receipt(success=None),),
        (receipt(), receipt(success=False)),
    ],
)
def test_no_receipt(headers: tuple[Header, ...]) -> None:
    """Garbage, two receipts, or none: nothing sure was said."""
    assert read_settlement(headers) is None


def test_second_name() -> None:
    """Where the first name holds garbage, the second one counts."""
    headers = (("PAYMENT-RESPONSE", "%%%"), receipt("X-PAYMENT-RESPONSE"))

    assert PAID == read_settlement(headers)


@pytest.mark.parametrize(
    ("text", "refusal"),
    [
        ("invalid_exact_evm_nonce_already_used", "paid"),
        ("Invalid payment: invalid_exact_evm_nonce_already_used", "paid"),
        ("Nonce already used", "paid"),
        ("duplicate_settlement", "paid"),
        ("settlement_pending", "pending"),
        ("invalid_exact_evm_payload_signature", "ours"),
        ("invalid_exact_evm_payload_authorization_value_mismatch", "ours"),
        ("invalid_exact_evm_payload_authorization_valid_before", "ours"),
        ("invalid_exact_evm_payload_authorization_valid_after", "ours"),
        ("validBefore expired", "ours"),
        ("invalid_exact_evm_payload_recipient_mismatch", "ours"),
        ("invalid_exact_svm_payload_memo_mismatch", "ours"),
        ("missing_eip712_domain", "ours"),
        ("invalid_exact_evm_token_name_mismatch", "ours"),
        ("invalid_exact_evm_token_version_mismatch", "ours"),
        ("invalid_exact_evm_insufficient_balance", "funds"),
        ("insufficient_funds", "funds"),
        ("transaction_failed", "unknown"),
        ("invalid_exact_evm_transaction_simulation_failed", "unknown"),
        ("Payment required", "theirs"),
        ("No matching payment requirements", "theirs"),
        ("out of memory", "theirs"),
        ("", "theirs"),
    ],
)
def test_refusal(text: str, refusal: Refusal) -> None:
    """Each SDK's words for a refusal fall into the class that says what to do."""
    assert refusal == classify_refusal(text)
