"""Instructions with their accounts looked up."""

from __future__ import annotations

from solders.message import Message, MessageV0, MessageV1
from solders.pubkey import Pubkey

from sidecar.values import dataclass


@dataclass(frozen=True, slots=True)
class Instruction:
    """One instruction: whom it calls, with what, and on which accounts."""

    program: Pubkey
    data: bytes
    accounts: tuple[Pubkey, ...]


def instructions_of(message: Message | MessageV0 | MessageV1) -> list[Instruction]:
    """Every instruction of a message that is consistent and looks nothing up."""
    keys = message.account_keys
    return [
        Instruction(
            keys[compiled.program_id_index],
            compiled.data,
            tuple(keys[index] for index in compiled.accounts),
        )
        for compiled in message.instructions
    ]
