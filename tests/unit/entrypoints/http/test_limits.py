"""What a limited caller reads, what a chat is taken to cost, and who is at the other end."""

import pytest
from aiohttp.test_utils import make_mocked_request
from multidict import CIMultiDict

from domain.limits.rate import RateState
from domain.message import ImagePart, Message, TextPart
from entrypoints.http.client_address import client_address
from entrypoints.http.limits import duration, estimated_tokens, rate_headers


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.0, "0s"), (0.0004, "1ms"), (0.12, "120ms"), (0.9991, "1s"), (1.0, "1s"), (1.2, "2s"), (59.01, "1m0s"),
     (60.0, "1m0s"), (61.0, "1m1s"), (360.0, "6m0s"), (120.0, "2m0s")],
)  # fmt: skip
def test_durations_are_as_openai_writes_them(seconds: float, text: str) -> None:
    """Rounded up: who waits that long is not early."""
    assert duration(seconds) == text


def test_headers_tell_of_what_is_limited() -> None:
    """And of nothing else."""
    tokens = RateState(limit=1_000, remaining=10, reset_s=59.4)

    assert rate_headers(None, None) == {}
    assert rate_headers(None, tokens) == {
        "x-ratelimit-limit-tokens": "1000",
        "x-ratelimit-remaining-tokens": "10",
        "x-ratelimit-reset-tokens": "1m0s",
    }


@pytest.mark.parametrize(
    ("messages", "max_tokens", "expected"),
    [
        ([], None, 1_024),
        ([Message.of("user", "abcde")], None, 1_026),
        ([Message.of("user", "ä" * 6)], 100, 103),
        ([Message.of("system", "\ud800"), Message.of("user", "")], 1, 2),
        ([Message(role="user", parts=(TextPart(text="abcd"), ImagePart(url="x")))], 10, 1_035),
    ],
)
def test_a_chat_is_estimated_by_its_bytes(
    messages: list[Message], max_tokens: int | None, expected: int
) -> None:
    """A quarter of the prompt's, and the longest answer."""
    assert estimated_tokens(messages, max_tokens) == expected


@pytest.mark.parametrize(
    ("peer", "forwarded", "expected"),
    [
        ("203.0.113.9", [], "203.0.113.9"),
        ("203.0.113.9", ["198.51.100.1"], "203.0.113.9"),  # nobody's proxy: anybody may write that
        ("10.0.0.1", [], "10.0.0.1"),
        ("10.0.0.1", ["198.51.100.1"], "198.51.100.1"),
        ("10.0.0.1", ["1.1.1.1, 198.51.100.1, 10.9.9.9"], "198.51.100.1"),
        ("10.0.0.1", ["1.1.1.1", "198.51.100.1"], "198.51.100.1"),
        ("10.0.0.1", ["10.0.0.7, 10.0.0.8"], "10.0.0.7"),
        ("10.0.0.1", ["198.51.100.1, nonsense"], "10.0.0.1"),
        ("10.0.0.1", ["198.51.100.1:4711"], "198.51.100.1"),
        ("10.0.0.1", ["[2001:db8:1:2:3:4:5:6]:80"], "2001:db8:1:2::/64"),
        ("10.0.0.1", ["", ""], "10.0.0.1"),
        ("::ffff:10.0.0.1", ["198.51.100.1"], "198.51.100.1"),
        ("2001:db8:1:2::9", ["198.51.100.1"], "2001:db8:1:2::/64"),
        ("fe80::1%eth0", [], "fe80::/64"),
        (None, ["198.51.100.1"], "unknown"),
    ],
)
def test_a_client_is_who_the_last_trusted_proxy_saw(
    peer: str | None, forwarded: list[str], expected: str
) -> None:
    """IPv6 by the network that one customer has."""
    headers = CIMultiDict([("X-Forwarded-For", each) for each in forwarded])
    request = make_mocked_request("GET", "/", headers=headers).clone(remote=peer or "")
    if peer is None:
        request = make_mocked_request("GET", "/", headers=headers).clone()
        request._cache["remote"] = None

    assert client_address(request, ("10.0.0.0/8", "fd00::/8")) == expected
    assert client_address(request, ()) != "198.51.100.1"
