"""Many texts as JSON in one call."""

import json

from hypothesis import example, given
from hypothesis import strategies as st

from entrypoints.rendering import to_json_texts


@given(st.lists(st.text(alphabet=st.characters() | st.sampled_from('",\\\n[] ')), min_size=1))
@example(['a",', "b"])
@example(["", ""])
@example(["\ud800", "x"])
def test_each_text_is_its_own_json(texts: list[str]) -> None:
    """Whatever they hold, half a surrogate pair included."""
    written = to_json_texts(texts)

    assert texts == [json.loads(each) for each in written]
    assert b"\n" not in b"".join(written)
