"""Bugs of what a paid call does not work out again, and of who may wait for what."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

KNOWN = "tests/unit/proxy/test_known.py"
REPLIES = "sidecar/proxy/replies.py"
REPLIED = "tests/unit/proxy/test_replies.py"
INTENTS = "sidecar/payments/intents.py"
INTENDED = "tests/unit/payments/test_intents.py"
EVM = "sidecar/wallets/evm.py"
SIGNED = "tests/unit/wallets/test_evm.py"

PAID_WAY = (
    Mutant(
        "sends a request again with a credential of before",
        "sidecar/proxy/known.py",
        "known is not None and known.credential is credential",
        "known is not None",
        (f"{KNOWN}::test_another_credential",),
    ),
    Mutant(
        "sends an earlier call's varying lines",
        "sidecar/proxy/known.py",
        "if not asked.varies",
        "if True",
        (f"{KNOWN}::test_varying",),
    ),
    Mutant(
        "sends the refused credential again",
        "sidecar/proxy/errand.py",
        "known is not None and known.credential is credential",
        "known is not None",
        ("tests/e2e/test_fast_lane_wires.py::test_credential_changes[lane]",),
    ),
    Mutant(
        "takes an answer for another with its lines elsewhere",
        REPLIES,
        "(rest,), []) if varying is None else varying",
        "(rest,), []) if varying is None else (varying[0][:1], varying[1])",
        (f"{REPLIED}::test_told_apart",),
    ),
    Mutant(
        "mixes up the values that vary",
        REPLIES,
        "zip(self.varying, cut, strict=True)",
        "zip(self.varying, reversed(cut), strict=True)",
        (f"{REPLIED}::test_told_apart",),
    ),
    Mutant(
        "reads any known head as an offer",
        REPLIES,
        "if answer.status == _SAYS_THE_SAME",
        "if True",
        (f"{REPLIED}::test_alike_in_what_decides",),
    ),
    Mutant(
        "lets a challenge through that comes alone",
        "sidecar/proxy/headers.py",
        ' | {"www-authenticate"}',
        "",
        ("tests/unit/proxy/test_headers.py::test_challenge_to_pay_alone",),
    ),
    Mutant(
        "takes bytes for flushed that wait",
        "sidecar/proxy/relay.py",
        "if not transport.get_write_buffer_size():",
        "if True:",
        ("tests/unit/proxy/test_attended.py::test_flushed",),
    ),
    Mutant(
        "does not read what a whole answer cost",
        "sidecar/proxy/delivery.py",
        "                    tail.feed(reply.response.body)",
        "                    pass",
        ("tests/unit/proxy/test_delivery_bodies.py::test_one_piece",),
    ),
    Mutant(
        "cancels a payment with who waits for it",
        "sidecar/tasks.py",
        "        await ended\n",
        "        await task\n",
        ("tests/unit/test_tasks.py::test_who_waits_is_cancelled",),
    ),
    Mutant(
        "cancels a payment with its app",
        "sidecar/payments/purchases.py",
        "return await left_running(task)",
        "return await task",
        ("tests/unit/payments/test_purchases.py::test_each_retry_joins_one",),
    ),
    Mutant(
        "signs into what another thread signs into",
        EVM,
        "self._spare.pop()",
        "self._spare[-1]",
        (f"{SIGNED}::test_as_the_library_signs",),
    ),
    Mutant(
        "gives out the signature before where none was made",
        EVM,
        "made == 1",
        "True",
        (f"{SIGNED}::test_no_signature",),
    ),
    Mutant(
        "is valid for a second more",
        EVM,
        "until = int(at.timestamp()) + validity_s",
        "until = round(at.timestamp()) + validity_s",
        (
            f"{SIGNED}::test_authorize",
            f"{SIGNED}::test_whole_seconds",
        ),
    ),
    Mutant(
        "writes a field under another's name",
        "sidecar/x402/encode.py",
        '"validAfter":"%s","validBefore":"%s"',
        '"validBefore":"%s","validAfter":"%s"',
        (
            f"{SIGNED}::test_header",
            "tests/unit/wallets/test_permit.py::test_written",
        ),
    ),
    Mutant(
        "names payments by their time alone",
        INTENTS,
        "{entropy.token(RANDOM_BYTES).hex()}",
        "{0:020x}",
        (f"{INTENDED}::test_names_of_one_moment",),
    ),
    Mutant(
        "names payments in no order",
        INTENTS,
        "int(at.timestamp() * 1000)",
        "int(at.timestamp() % 60)",
        (f"{INTENDED}::test_names_in_their_order",),
    ),
    Mutant(
        "never binds to what was delivered",
        INTENTS,
        "        undelivered_since,\n",
        "        None,\n",
        (f"{INTENDED}::test_plain",),
    ),
    Mutant(
        "gives the first of a draw out twice",
        "sidecar/clock.py",
        "token = tokens.pop()",
        "token = tokens[-1]",
        ("tests/unit/test_clock.py::test_drawn",),
    ),
    Mutant(
        "takes any letters for a transaction",
        "sidecar/x402/receipt.py",
        "value.isascii() and value.isalnum()",
        "value.isalnum()",
        ("tests/unit/x402/test_receipt.py::test_odd_transaction",),
    ),
    Mutant(
        "keeps a transaction of any length",
        "sidecar/x402/receipt.py",
        " or len(value) > TRANSACTION_CHARS_MAX",
        "",
        ("tests/unit/x402/test_receipt.py::test_odd_transaction",),
    ),
    Mutant(
        "takes another body for one that was read",
        "sidecar/x402/codec.py",
        "return (_kept_body if len(body) <= KEPT_CHARS_MAX else _read_body)(body)",
        "return vars(_read_body).setdefault(len(body), _read_body(body))",
        ("tests/unit/x402/test_codec.py::test_body_that_comes_again",),
    ),
    Mutant(
        "keeps bodies of any length",
        "sidecar/x402/codec.py",
        "_kept_body if len(body) <= KEPT_CHARS_MAX else _read_body",
        "_kept_body if body else _read_body",
        ("tests/unit/x402/test_codec.py::test_long_body",),
    ),
    Mutant(
        "forgets when a request was sent that lives on credit",
        "sidecar/proxy/dealings.py",
        "sent_s = 0.0 if route.prepaid is None else self._clock.mark_s()",
        "sent_s = 0.0",
        ("tests/flows/test_reload.py::test_top_up_is_completed",),
    ),
)
