"""The header `Idempotency-Key`."""

from collections.abc import Mapping
from types import MappingProxyType

import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request
from multidict import CIMultiDict

from domain.access import ANYBODY, Caller
from domain.errors import InvalidRequest
from domain.json_value import JSONObject
from entrypoints.http.idempotency import read_key
from entrypoints.http.state import CALLER, ROUTE

BODY: JSONObject = {"prompt": "Hello?", "variables": {"a": 1, "b": [1, 2]}}


def request(
    *keys: str,
    method: str = "POST",
    route: str = "/chat",
    caller: Caller = ANYBODY,
    path: Mapping[str, str] = MappingProxyType({}),
) -> web.Request:
    headers = CIMultiDict([("Idempotency-Key", key) for key in keys])
    made = make_mocked_request(method, "/chat", headers=headers, match_info=dict(path))
    made[ROUTE] = route
    made[CALLER] = caller
    return made


def digest(body: JSONObject, route: str = "/chat", *, method: str = "POST", **path: str) -> str:
    key = read_key(request("k", method=method, route=route, path=path), body)
    assert key is not None
    return key.fingerprint


def test_a_request_without_the_header_has_no_key() -> None:
    """Nothing is claimed then."""
    assert read_key(request(), BODY) is None


@pytest.mark.parametrize(
    "key", ["x", "0193a2c4-7d1e-7000-8000-000000000001", '"quoted"', "!" * 255, "a,b;c=~"]
)
def test_visible_ascii_is_a_key_as_it_is(key: str) -> None:
    """Quotes are part of it."""
    read = read_key(request(key), BODY)

    assert read is not None
    assert key == read.key


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        (("",), "empty"),
        (("x" * 256,), "at most 255"),
        (("a b",), "visible ASCII"),
        (("schlüssel",), "visible ASCII"),
        (("a\tb",), "visible ASCII"),
        (("a", "a"), "more than once"),
        (("a", ""), "more than once"),
    ],
)
def test_anything_else_is_refused_by_name(keys: tuple[str, ...], words: str) -> None:
    """The fault names the header and the remedy, not the key."""
    with pytest.raises(InvalidRequest) as refused:
        read_key(request(*keys), BODY)

    assert ["Idempotency-Key"] == [fault.path for fault in refused.value.faults]
    assert words in refused.value.faults[0].message


def test_the_order_of_fields_is_no_difference() -> None:
    """Nor is it in what they hold."""
    assert digest(BODY) == digest({"variables": {"b": [1, 2], "a": 1}, "prompt": "Hello?"})


@pytest.mark.parametrize(
    "other",
    [
        digest({"prompt": "Hello."}),
        digest({**BODY, "variables": {"a": 1, "b": [1, 2], "stream": True}}),
        digest({"prompt": "Hello?", "variables": {"a": 1, "b": [2, 1]}}),
        digest(BODY, "/messages/{id}/regenerate"),
        digest(BODY, id="1"),
        digest(BODY, method="PUT"),
        digest({"prompt": "\ud800", "n": 10**4000}),
    ],
)
def test_another_request_has_another_fingerprint(other: str) -> None:
    """Method, route, path or body: any of them."""
    assert digest(BODY) != other


@pytest.mark.parametrize(
    "how", [{"stream": True}, {"stream": False, "on_disconnect": "cancel"}, {"on_disconnect": None}]
)
def test_how_the_answer_is_brought_is_no_difference(how: JSONObject) -> None:
    """Whoever could not get it as a stream may ask for it as a whole."""
    assert digest(BODY) == digest({**BODY, **how})


def test_the_fingerprint_says_nothing_of_the_key() -> None:
    """It is about what the key came with."""
    one, two = read_key(request("a"), BODY), read_key(request("b"), BODY)

    assert one is not None
    assert two is not None
    assert one.fingerprint == two.fingerprint


def test_users_have_keys_of_their_own() -> None:
    """A bound caller's key is no other user's, and none that a caller who is not bound can send."""
    ada, bob = Caller(user="ada"), Caller(user="bob")
    kept = [read_key(request("k", caller=each), BODY) for each in (ada, bob, ANYBODY)]
    keys = [each.key for each in kept if each is not None]

    assert 3 == len(set(keys))
    assert kept[0] == read_key(request("k", caller=ada), BODY)
    assert "k" == keys[2]
    assert " " in keys[0]
