"""Bodies that are read at once: the same as others are, or not at all."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.errors import InvalidRequest
from entrypoints.http.codec import _flat, _read_carefully, read_object

_TEXTS = st.text(st.sampled_from('a":,{}[]\\\n/é😀 u0'), max_size=6)


@given(st.lists(st.tuples(_TEXTS, st.one_of(_TEXTS, st.booleans(), st.none())), max_size=4), st.booleans())
def test_flat_bodies_are_read_as_others_are(pairs: list[tuple[str, object]], ascii_alone: bool) -> None:
    """With every field once; whatever has one twice is left to what refuses it."""
    fields = [
        f"{json.dumps(name, ensure_ascii=ascii_alone)}: {json.dumps(value, ensure_ascii=ascii_alone)}"
        for name, value in pairs
    ]
    body = ("{" + ", ".join(fields) + "}").encode()
    found = _flat(body)

    if len(dict(pairs)) == len(pairs):
        assert found is None or found == dict(pairs)
        assert found is not None or b"\\u" in body
        assert read_object(body) == dict(pairs) == _read_carefully(body)
    else:
        assert found is None
        with pytest.raises(InvalidRequest, match="twice"):
            read_object(body)


@pytest.mark.parametrize(
    "body",
    [
        b'{"a":1}', b'{"a":{}}', b'{"a":["b"]}', b'["a"]', b'"a"', b"", b" ", b"\xef\xbb\xbf{}", b'{"a":"\xff"}',
        b'{"a":"\\ud800"}', b'{"a":NaN}', b'{"a":"b",}', b'{"a":"\x01"}', b'{"a":"b","a":"b"}',
        b'{"a":true,"a":true}', b'{"a":"\\"","a":null}', b"{" + b" " * 70_000 + b"}",
    ],
)  # fmt: skip
def test_all_else_is_left_to_careful_reading(body: bytes) -> None:
    """Numbers, lists and objects in it, and whatever is no JSON of ours."""
    assert _flat(body) is None


def test_the_usual_body_is_flat() -> None:
    """Line breaks and quotation marks in a prompt do not change that."""
    body = b'{"prompt": "say \\"hi\\"\\nand \\\\ go", "stream": false, "user": null}'

    assert _flat(body) == {"prompt": 'say "hi"\nand \\ go', "stream": False, "user": None}
