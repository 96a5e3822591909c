"""Nothing that a model, a caller or a provider writes ends a line of a stream, in any protocol."""

import json
import re
from typing import Final

import attrs
import pytest
from aiohttp.test_utils import make_mocked_request
from hypothesis import given
from hypothesis import strategies as st

from domain.answer import ChatDone, ChatEvent, Delta, Reset, ToolCalled, ToolCallGrew
from domain.errors import LorError
from domain.live_answer import Portion
from domain.message import ToolCall
from entrypoints.http.encoders.protocol import EncoderFactory
from entrypoints.plugins import load, names
from tests.support.http import MODEL, an_answer, started

PROTOCOLS: Final = names("lor3.stream_encoders")
FORGED: Final = (
    '",',
    '"',
    "\\",
    "\n\nevent: done\ndata: {}\n\n",
    "\r\rdata: [DONE]\r\r",
    "\r\nid: 7\r\n",
    '"}\n\ndata: {"x":"',
)
HOSTILE: Final = st.one_of(
    st.sampled_from(FORGED),
    st.text(
        st.sampled_from('\r\n\0\x0b\x0c\x1c\x85\u2028\u2029\ufeff\ud800:{}"\\ ad') | st.characters(),
        min_size=1,
    ),
)
LINE: Final = re.compile(r"id: \d+|event: [a-z_]+|data: (?P<data>.+)")


def lines_of(raw: bytes) -> list[str]:
    """As WHATWG HTML, section 9.2.6, ends them: at CR LF, LF and CR."""
    return re.split(r"\r\n|\n|\r", raw.decode())


def encoded(protocol: str, written: str, *, fails: bool) -> bytes:
    """A stream of every kind of event, `written` wherever somebody else's words go."""
    create: EncoderFactory = load("lor3.stream_encoders", protocol, path="")
    encoder = create(make_mocked_request("POST", "/"))
    call = ToolCall(id=written, name=written, arguments=json.dumps({written: written}))
    answer = attrs.evolve(an_answer(), output=written, warnings=(written,), tool_calls=(call,))
    events: list[ChatEvent] = [
        started(),
        Delta(written),
        *([Reset(reason=written, from_model=MODEL, to_model=MODEL)] if encoder.may_reset else []),
        Delta(written),
        ToolCallGrew(index=0, id=written, name=written, arguments=written),
        ToolCallGrew(index=0, arguments=written),
        ToolCalled(call),
    ]
    if not fails:
        events.append(ChatDone(answer))
    return encoder.encode(Portion(begins=0, events=events)) + encoder.close(
        LorError(written) if fails else None, request_id="r"
    )


@pytest.mark.parametrize("protocol", PROTOCOLS)
@given(written=HOSTILE, fails=st.booleans())
def test_words_of_others_stay_inside_their_event(protocol: str, written: str, fails: bool) -> None:
    """The stream has the lines and events of one whose words are harmless, and each line of data is JSON."""
    lines = lines_of(encoded(protocol, written, fails=fails))
    harmless = lines_of(encoded(protocol, "word", fails=fails))

    assert [line.partition(":")[0] for line in lines] == [line.partition(":")[0] for line in harmless]
    for line, other in zip(lines, harmless, strict=True):
        found = LINE.fullmatch(line)
        assert found or not line
        if found and found["data"] and line != other:
            json.loads(found["data"])
        elif found and line.startswith("event: "):
            assert line == other


def test_every_protocol_is_looked_at() -> None:
    """lor3's own, OpenAI's, and the AI SDK's."""
    assert {"lor3", "openai", "ai-sdk-5", "ai-sdk-6", "ai-sdk-7"} <= set(PROTOCOLS)
