"""What an answer is made for, as it is told to other processes."""

import attrs
import pytest

from adapters.cache.asked_codec import MAX_ASKED_BYTES, decode_asked, encode_asked
from adapters.cache.event_codec import NOTHING_YET, decode_entry, encode_ending, encode_portion, is_end
from domain.answer import ChatAdmitted, Delta
from domain.ids import MessageId, SessionId, ThreadId
from domain.live_answer import Ending, Portion
from domain.message import ImagePart, Message, TextPart, ToolCall

ASKED = ChatAdmitted(message_id=MessageId("m"), thread_id=ThreadId("t"), session_id=SessionId("s"))
TURNS = (
    Message.of("system", ""),
    Message(role="user", parts=(TextPart(text='"\n\0\udc00'), ImagePart(url="https://a/b", detail="auto"))),
    Message(role="assistant", tool_calls=(ToolCall(id="c", name="n", arguments="{", complete=False),)),
    Message(role="tool", parts=(TextPart(text="[1]"),), tool_call_id="c"),
)


@pytest.mark.parametrize("asked", [ASKED, attrs.evolve(ASKED, turns=TURNS, parent=MessageId("p"))])
def test_it_comes_back_as_it_was(asked: ChatAdmitted) -> None:
    """On the first line of a stream, of which those who read events see nothing."""
    line = encode_asked(asked)
    assert line is not None
    portion = Portion(begins=0, events=(Delta("a"),))
    value = b"\n".join([line, encode_portion(portion)])

    assert asked == decode_asked(line) == decode_asked(value)
    assert [Portion(begins=0, events=()), portion] == list(decode_entry(value))


def test_what_is_too_large_is_left_out() -> None:
    """Inline images first: a page that is loaded again shows the text beside them meanwhile."""
    image = ImagePart(data="a" * MAX_ASKED_BYTES, media_type="image/png")
    text = TextPart(text="What is this?")
    line = encode_asked(attrs.evolve(ASKED, turns=(Message(role="user", parts=(image, text)),)))
    long = attrs.evolve(ASKED, turns=(Message.of("user", "a" * MAX_ASKED_BYTES),))
    both = attrs.evolve(long, turns=(*long.turns, Message(role="user", parts=(image,))))

    assert attrs.evolve(ASKED, turns=(Message.of("user", text.text),)) == decode_asked(line)
    assert encode_asked(long) is encode_asked(both) is None


def test_the_end_of_a_stream_is_known() -> None:
    """Whatever a model says."""
    text = encode_portion(Portion(begins=0, events=(Delta('{"error":'),)))
    end = encode_ending(Ending())

    assert [False, False, False, True, True] == [
        is_end(value) for value in (None, NOTHING_YET, text, end, b"\n".join([text, end]))
    ]


@pytest.mark.parametrize(
    "value",
    [
        None,
        "x",
        NOTHING_YET,
        b'{"asked":',
        b'{"asked":[]}',
        b'{"asked":["m","t","s",7,[]]}',
        b'{"asked":["m","t",null,null,[]]}',
        b'{"asked":["m","t","s",null,{}]}',
        b'{"asked":["m","t","s",null,[["nobody",[],[],null]]]}',
        b'{"asked":["m","t","s",null,[["user",[7],[],null]]]}',
        b'{"asked":["m","t","s",null,[["user",[["v",null,null,null,null]],[],null]]]}',
        b'{"asked":["m","t","s",null,[["user",[],[["c","n","a",1]],null]]]}',
    ],
)
def test_what_can_not_be_read_is_not_said(value: object) -> None:
    """It may come from a later version, or from anybody."""
    assert decode_asked(value) is None
