"""The stock OpenAI client buys from the official x402 sellers through the real sidecar.

What each call cost is read back from the chain, and everybody else must agree with it.
"""

from __future__ import annotations

import base64
import json
import urllib.error
import urllib.request
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import httpx2
import openai
import pytest

from tests.world.sellers import Seller
from tests.world.witnesses import Books, Scene, receipt

StartScene = Callable[[Seller], Scene]

BOTH_VERSIONS = pytest.mark.parametrize("seller", ["v2_seller", "v1_seller"])


def complete(client: openai.OpenAI, content: str) -> tuple[str, httpx2.Headers]:
    """Ask one thing: the answer's text, and its headers."""
    response = client.chat.completions.with_raw_response.create(
        model="test-model", messages=[{"role": "user", "content": content}]
    )
    return response.parse().choices[0].message.content or "", response.headers


def bill(headers: httpx2.Headers) -> str:
    """The transaction that the app's receipt names."""
    transaction: str = receipt(headers)["transaction"]
    return transaction


@BOTH_VERSIONS
def test_post(start: StartScene, seller: str, request: pytest.FixtureRequest) -> None:
    """A POST costs its price once; chain, seller, ledger, receipt and metrics agree on it."""
    scene = start(request.getfixturevalue(seller))
    with scene.sidecar.client() as client:
        text, headers = complete(client, "hello")

    assert "You said: hello" == text
    assert {bill(headers)} == scene.transactions() == scene.recorded()
    assert Books.of(calls=1) == scene.books()


@BOTH_VERSIONS
def test_get(start: StartScene, seller: str, request: pytest.FixtureRequest) -> None:
    """A GET that is for sale is bought in the same way."""
    scene = start(request.getfixturevalue(seller))
    with scene.sidecar.client() as client:
        response = client.get("/paid-models", cast_to=httpx2.Response)

    assert "test-model" == response.json()["data"][0]["id"]
    assert {bill(response.headers)} == scene.transactions() == scene.recorded()
    assert Books.of(calls=1) == scene.books()


@BOTH_VERSIONS
def test_stream(start: StartScene, seller: str, request: pytest.FixtureRequest) -> None:
    """A streamed completion arrives whole, with its receipt, for the price of one call."""
    scene = start(request.getfixturevalue(seller))
    with scene.sidecar.client() as client:
        response = client.chat.completions.with_raw_response.create(
            model="test-model",
            messages=[{"role": "user", "content": "one word at a time"}],
            stream=True,
        )
        text = "".join(chunk.choices[0].delta.content or "" for chunk in response.parse())

    assert "You said: one word at a time" == text
    assert {bill(response.headers)} == scene.transactions() == scene.recorded()
    assert Books.of(calls=1) == scene.books()


def test_twenty_at_once(start: StartScene, v2_seller: Seller) -> None:
    """Twenty calls at once on one key are twenty payments, and each app has its own receipt."""
    scene = start(v2_seller)
    with scene.sidecar.client() as client, ThreadPoolExecutor(20) as apps:
        answers = list(apps.map(lambda number: complete(client, f"call {number}"), range(20)))
    bills = {bill(headers) for _, headers in answers}

    assert [f"You said: call {number}" for number in range(20)] == [text for text, _ in answers]
    assert bills == scene.transactions() == scene.recorded()
    assert Books.of(calls=20) == scene.books()


def test_lower_case_payee(start: StartScene, lower_case_seller: Seller) -> None:
    """A payee in lower case is signed for as the facilitator wants it, and paid."""
    scene = start(lower_case_seller)
    with scene.sidecar.client() as client:
        complete(client, "hello")

    assert lower_case_seller.pay_to.lower() == lower_case_seller.pay_to
    assert Books.of(calls=1) == scene.books()


def test_long_challenge(start: StartScene, fat_seller: Seller) -> None:
    """A challenge header of about 30 KB is read and paid."""
    scene = start(fat_seller)
    with scene.sidecar.client() as client:
        complete(client, "hello")

    assert 24 * 1024 < len(challenge(fat_seller)) <= 32 * 1024
    assert Books.of(calls=1) == scene.books()


def test_same_again(start: StartScene, v2_seller: Seller) -> None:
    """The same call after it was answered is a new purchase."""
    scene = start(v2_seller)
    with scene.sidecar.client() as client:
        complete(client, "hello")
        complete(client, "hello")

    assert Books.of(calls=2) == scene.books()


def test_free(start: StartScene, v2_seller: Seller) -> None:
    """What the seller gives away costs nothing."""
    scene = start(v2_seller)
    with scene.sidecar.client() as client:
        (model,) = client.models.list()

    assert "test-model" == model.id
    assert Books.of(calls=0) == scene.books()


def challenge(seller: Seller) -> str:
    """The header with which this seller asks for money, checked to be one."""
    call = urllib.request.Request(f"{seller.url}/v1/chat/completions", method="POST", data=b"{}")
    with pytest.raises(urllib.error.HTTPError) as refusal, urllib.request.urlopen(call):
        pass
    with refusal.value as response:
        header: str = response.headers["payment-required"]
    assert 2 == json.loads(base64.b64decode(header))["x402Version"]
    return header
