"""Sign-in messages for tests, and a strategy that makes every kind of them."""

from __future__ import annotations

from hypothesis import strategies as st

from sidecar.chains import NETWORK_NAMES, SOLANA, is_evm
from sidecar.siwx import SignInMessage

EVM_ADDRESS = "0xA78091204F061f5217CDd2318BadA7a5b4066d8b"
SOLANA_ADDRESS = "FAe4sisG95oZ42w7buUn5qEE4TAnfTTFPiguZUHmhiF"
BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"

EVM = SignInMessage(
    domain="seller.example",
    address=EVM_ADDRESS,
    uri="https://seller.example/members",
    network="eip155:8453",
    nonce="0123456789abcdef",
    issued_at="2026-01-02T03:04:05.000Z",
)
SOLANA_MESSAGE = SignInMessage(
    domain="seller.example",
    address=SOLANA_ADDRESS,
    uri="https://seller.example/members",
    network=SOLANA,
    nonce="0123456789abcdef",
    issued_at="2026-01-02T03:04:05.000Z",
)

UNRESERVED = "ABCXYZabcxyz0189-._~"
SUB_DELIMITERS = "!$&'()*+,;="


def _letters(alphabet: str, least: int, most: int) -> st.SearchStrategy[str]:
    return st.text(st.sampled_from(alphabet), min_size=least, max_size=most)


URIS = st.builds(
    "".join,
    st.tuples(
        st.sampled_from(["https://seller.example", "http://[::1]:8402", "did:key", "ipfs://b"]),
        st.just("") | _letters(UNRESERVED + SUB_DELIMITERS + ":@/?", 0, 20).map("/".__add__),
        st.sampled_from(["", "?a=%20&b", "#", "#a/b"]),
    ),
)
TIMES = st.datetimes().map(lambda moment: moment.isoformat(timespec="microseconds") + "Z")
# Statements that look like the lines after them, because those are what a reader could take
# them for.
STATEMENTS = st.sampled_from(
    ["URI: https://seller.example", "Version: 1", "Resources:", "- a:b", " ", "Sign in, please."]
) | _letters(UNRESERVED + SUB_DELIMITERS + ":/?#[]@ ", 1, 256)


@st.composite
def messages(draw: st.DrawFn) -> SignInMessage:
    """Any message that can be."""
    network = draw(st.sampled_from(sorted(NETWORK_NAMES)))
    address = (
        "0x" + draw(_letters("0123456789abcdefABCDEF", 40, 40))
        if is_evm(network)
        else draw(_letters(BASE58, 32, 44))
    )
    return SignInMessage(
        domain=draw(st.sampled_from(["seller.example", "127.0.0.1:8402", "[::1]:80", "a_b-c.~"])),
        address=address,
        uri=draw(URIS),
        network=network,
        nonce=draw(_letters("ABCXYZabcxyz0189", 8, 64)),
        issued_at=draw(TIMES),
        statement=draw(st.none() | STATEMENTS),
        expiration_time=draw(st.none() | TIMES),
        not_before=draw(st.none() | TIMES),
        request_id=draw(st.none() | _letters(UNRESERVED + SUB_DELIMITERS + ":@", 1, 40)),
        resources=tuple(draw(st.lists(URIS, max_size=3))),
    )
