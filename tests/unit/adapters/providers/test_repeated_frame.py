"""Frames that need not be parsed again."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.providers import json_text
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


def first(repeated: RepeatedFrame, data: bytes) -> str | None:
    return next(iter(repeated.texts([data], 0)), None)


@given(st.lists(st.text(max_size=5)), st.integers(0, 3))
def test_a_run_ends_where_a_frame_is_another(texts: list[str], others: int) -> None:
    """Each text once, in order."""
    said = [frame(text.encode("utf-8", "replace").decode()) for text in texts]
    frames = said + [frame("x", usage={})] * others
    whole = [json_text.parse(each)["choices"][0]["delta"]["content"] for each in said]

    assert whole[:64] == learned().texts(frames, 0)


@given(st.text())
def test_a_text_that_is_found_is_the_one_that_parsing_finds(text: str) -> None:
    """Whatever is in it; where it is not sure, it says so."""
    data = frame(text.encode("utf-8", "replace").decode())
    found = first(learned(), data)

    assert found in (None, json_text.parse(data)["choices"][0]["delta"]["content"])


@pytest.mark.parametrize("text", ["", " wide", "ünïcödé 😀", "\u2028", 'a "quote"', "a\nline", "back\\slash"])
def test_a_text_is_found(text: str) -> None:
    """At the first try."""
    assert text == first(learned(), frame(text))


@pytest.mark.parametrize(
    "data",
    [
        frame("x").replace(b"x", b"a\nline"),
        frame("x").replace(b"x", b'a"quote'),
        learned()._before,
        frame("x", usage={"completion_tokens": 1}),
        frame("x").replace(b'"x"', b'"x","content":"y"'),
        frame("x").replace(b"null", b'"stop"'),
        frame("x")[:-1],
        b"",
        b"[DONE]",
    ],
)
def test_anything_else_has_to_be_parsed(data: bytes) -> None:
    """Escapes, other fields, what is no JSON."""
    assert first(learned(), data) is None


def test_a_field_that_stands_twice_teaches_nothing() -> None:
    """Which of them is the text is not known."""
    repeated = RepeatedFrame(b"content")
    data = b'{"content":"x","other":{"content":"x"}}'
    repeated.learn(data, "x")

    assert first(repeated, data) is None


def test_it_learns_three_times_at_most() -> None:
    """A server that puts something random into each frame is not looked at for ever."""
    repeated = RepeatedFrame(b"content")
    for number in range(4):
        repeated.learn(frame("x", obfuscation=str(number)), "x")

    assert first(repeated, frame("y", obfuscation="3")) is None
    assert first(repeated, frame("y", obfuscation="2")) == "y"


def test_what_is_forgotten_is_not_learned_again() -> None:
    """After the finish reason, text is no part of the answer."""
    repeated = learned()
    repeated.forget()
    repeated.learn(frame("x"), "x")

    assert first(repeated, frame("x")) is None


def test_a_text_that_stands_twice_teaches_nothing_either() -> None:
    """The other one may be the answer, its field written with a blank."""
    repeated = RepeatedFrame(b"content")
    repeated.learn(b'{"choices":[{"delta":{"content": "Hi"}}],"echo":{"content":"Hi"}}', "Hi")

    assert first(repeated, b'{"choices":[{"delta":{"content": "Hi"}}],"echo":{"content":"Yo"}}') is None


def test_a_server_that_does_not_escape_is_given_up() -> None:
    """Each of its frames would be looked at with all that follow."""
    repeated = learned()
    frames = [frame("x").replace(b"x", b"\\d")] * 100

    assert [[]] * 5 == [repeated.texts(frames, 0) for _ in range(5)]
    assert repeated.texts([frame("fine")], 0) == []
