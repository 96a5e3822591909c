"""Frames that need not be parsed again."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.providers.repeated_frame import RepeatedFrame


def frame(text: str, **more: object) -> bytes:
    return json.dumps(
        {"id": "c", "choices": [{"delta": {"content": text}, "finish_reason": None}], **more},
        separators=(",", ":"),
        ensure_ascii=False,
    ).encode()


def learned() -> RepeatedFrame:
    repeated = RepeatedFrame(b"content")
    repeated.learn(frame("Hello"), "Hello")
    return repeated


@given(st.text())
def test_a_text_that_is_found_is_the_one_that_parsing_finds(text: str) -> None:
    """Whatever is in it; where it is not sure, it says so."""
    data = frame(text.encode("utf-8", "replace").decode())
    found = learned().text_in(data)

    assert found in (None, json.loads(data)["choices"][0]["delta"]["content"])


@pytest.mark.parametrize("text", ["", " wide", "ünïcödé 😀", "\u2028"])
def test_plain_text_is_found(text: str) -> None:
    """At the first try."""
    assert text == learned().text_in(frame(text))


@pytest.mark.parametrize(
    "data",
    [
        frame('a "quote"'),
        frame("a\nline"),
        frame("back\\slash"),
        frame("x", usage={"completion_tokens": 1}),
        frame("x").replace(b'"x"', b'"x","content":"y"'),
        frame("x").replace(b"x", b"\xff"),
        frame("x").replace(b"null", b'"stop"'),
        frame("x")[:-1],
        b"",
        b"[DONE]",
    ],
)
def test_anything_else_has_to_be_parsed(data: bytes) -> None:
    """Escapes, other fields, what is no JSON."""
    assert learned().text_in(data) is None


def test_a_field_that_stands_twice_teaches_nothing() -> None:
    """Which of them is the text is not known."""
    repeated = RepeatedFrame(b"content")
    data = b'{"content":"x","other":{"content":"x"}}'
    repeated.learn(data, "x")

    assert repeated.text_in(data) is None


def test_it_learns_three_times_at_most() -> None:
    """A server that puts something random into each frame is not looked at for ever."""
    repeated = RepeatedFrame(b"content")
    for number in range(4):
        repeated.learn(frame("x", obfuscation=str(number)), "x")

    assert repeated.text_in(frame("y", obfuscation="3")) is None
    assert repeated.text_in(frame("y", obfuscation="2")) == "y"


def test_what_is_forgotten_is_not_learned_again() -> None:
    """After the finish reason, text is no part of the answer."""
    repeated = learned()
    repeated.forget()
    repeated.learn(frame("x"), "x")

    assert repeated.text_in(frame("x")) is None
