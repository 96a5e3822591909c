"""The budget pass."""

import timeit

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.chat import Tool
from domain.errors import ContextTooLong
from domain.message import ImagePart, Message
from domain.model import ModelSpec
from domain.passes.compiler_pass import TokenCount
from domain.passes.token_budget import TokenBudgetCheck, needs_counting
from domain.summary_turn import summary_turn
from tests.support.compiling import assistant, calls, request, result, spec, target, user

WORDS_100 = " ".join(["abcdefghi"] * 100)


def test_unknown_window_enforces_nothing() -> None:
    """A model outside the catalogue is passed on as it is."""
    asked = request(user(WORDS_100 * 100), max_tokens=10**9)

    rewrite = TokenBudgetCheck().run(asked, target(spec()))

    assert asked is rewrite.request
    assert "unknown" in rewrite.notes[0]


def test_short_prompt_is_not_counted() -> None:
    """A token is at least one byte, so a short text needs no tokenizer."""

    class Untouchable:
        def count_text(self, text: str, spec: ModelSpec) -> TokenCount:
            raise AssertionError("counted")

        def count_message(self, message: Message, spec: ModelSpec) -> TokenCount:
            raise AssertionError("counted")

    asked = request(user("Hello"), system="Be brief.", history=(user("Hi"), assistant("Hello")))
    aimed = attrs.evolve(target(spec(context_window=8192)), meter=Untouchable())

    rewrite = TokenBudgetCheck().run(asked, aimed)

    assert asked is rewrite.request
    assert "not counted" in rewrite.notes[0]


def test_stored_counts_are_used() -> None:
    """A stored message is not counted again, however long it is."""
    asked = request(user("Hello"), history=(user("x" * 100_000, token_count=10),))

    assert not needs_counting(asked, spec(context_window=8192))
    assert asked is TokenBudgetCheck().run(asked, target(spec(context_window=8192))).request


def test_max_tokens_is_clamped_with_a_warning() -> None:
    """More than a model can write is a 400 at the vendor."""
    rewrite = TokenBudgetCheck().run(
        request(max_tokens=5000), target(spec(context_window=100_000, max_output_tokens=4096))
    )

    assert rewrite.request.max_tokens == 4096
    assert rewrite.warnings == (
        "max_tokens was lowered from 5000 to 4096, the most `openai:gpt-4` can write",
    )


def test_max_tokens_is_clamped_where_the_window_is_unknown() -> None:
    """The two limits are independent."""
    rewrite = TokenBudgetCheck().run(request(max_tokens=5000), target(spec(max_output_tokens=4096)))

    assert rewrite.request.max_tokens == 4096


def test_history_is_trimmed_oldest_first_in_whole_turns() -> None:
    """What is left begins with a user message."""
    history = (
        user(WORDS_100), assistant(WORDS_100), user(WORDS_100), assistant(WORDS_100), user("last"), assistant("end"),
    )  # fmt: skip
    asked = request(user("now"), history=history, max_tokens=100)

    rewrite = TokenBudgetCheck().run(asked, target(spec(context_window=400)))

    assert history[2:] == rewrite.request.history
    assert asked.messages == rewrite.request.messages
    assert "2 of 6" in rewrite.warnings[0]
    assert "Left out 2 of 6" in rewrite.notes[0]


def test_trims_no_more_than_needed() -> None:
    """A turn that fits stays."""
    history = tuple(user(f"{WORDS_100} {n}") for n in range(4))
    answers = tuple(assistant("ok") for _ in range(4))
    turns = tuple(each for pair in zip(history, answers, strict=True) for each in pair)
    fixed = 3 + 5  # priming, and "now" with its frame
    turn = 101 + 4 + 5

    rewrite = TokenBudgetCheck().run(
        request(user("now"), history=turns, max_tokens=10), target(spec(context_window=fixed + 3 * turn + 10))
    )

    assert turns[2:] == rewrite.request.history


def test_tool_calls_and_results_stay_together() -> None:
    """A result without its call is a 400 at every vendor."""
    history = (user("a"), calls("1"), result("1", WORDS_100), assistant("b"), user("c"), assistant("d"))

    rewrite = TokenBudgetCheck().run(
        request(user("now"), history=history, max_tokens=10), target(spec(context_window=100))
    )

    assert history[4:] == rewrite.request.history


def test_call_answered_in_messages_is_never_trimmed() -> None:
    """The caller's own tool result needs the call that is still in the history."""
    history = (user(WORDS_100), assistant("ok"), user("look it up"), calls("7"))
    asked = request(result("7"), history=history, max_tokens=10)

    rewrite = TokenBudgetCheck().run(asked, target(spec(context_window=100)))

    assert history[2:] == rewrite.request.history


def test_result_in_a_later_turn_joins_the_turns() -> None:
    """Where a user spoke between call and result, both turns go or stay together."""
    history = (user("a"), calls("1"), user("wait"), result("1"), user(WORDS_100), assistant("b"))

    rewrite = TokenBudgetCheck().run(
        request(user("now"), history=history, max_tokens=10), target(spec(context_window=150))
    )

    assert history[4:] == rewrite.request.history


def test_system_messages_in_the_history_stay() -> None:
    """A caller's own system message is as untouchable as the system prompt."""
    rule = Message.of("system", "Speak French.")
    history = (rule, user(WORDS_100), assistant(WORDS_100))

    rewrite = TokenBudgetCheck().run(
        request(user("now"), history=history, max_tokens=10), target(spec(context_window=100))
    )

    assert (rule,) == rewrite.request.history


def test_too_long_says_by_how_much_and_what_to_do() -> None:
    """104 words and frames, 3 of priming and 50 for the answer are 57 more than 100."""
    with pytest.raises(ContextTooLong) as caught:
        TokenBudgetCheck().run(request(user(WORDS_100), max_tokens=50), target(spec(context_window=100)))

    assert caught.value.faults[0].path == "messages"
    assert "the prompt is 107 tokens" in caught.value.detail
    assert "57 more than the window of `openai:gpt-4` (100)" in caught.value.detail
    assert "shorten the prompt by 57 tokens or choose a model with a larger window" in caught.value.detail


def test_too_long_names_the_max_tokens_that_would_fit() -> None:
    """Where the prompt alone fits, lowering max_tokens is a remedy."""
    with pytest.raises(ContextTooLong, match="lower max_tokens to 93"):
        TokenBudgetCheck().run(request(user(WORDS_100), max_tokens=150), target(spec(context_window=200)))


def test_without_max_tokens_a_tight_prompt_still_goes() -> None:
    """The default reserve is a wish: a prompt that can't be trimmed may leave less, with a warning."""
    words = " ".join(["abcdefghi"] * 3500)

    rewrite = TokenBudgetCheck().run(request(user(words)), target(spec(context_window=4000)))

    assert "leaves only 493 tokens" in rewrite.warnings[0]
    assert rewrite.request.max_tokens is None


def test_estimates_are_called_estimates() -> None:
    """Where the tokenizer is not public, the error says about."""
    with pytest.raises(ContextTooLong, match="about"):
        TokenBudgetCheck().run(
            request(user(WORDS_100), max_tokens=50), target(spec(context_window=100, count_margin=0.2))
        )


def test_tools_and_images_count() -> None:
    """Neither is free."""
    tool = Tool(name="look", parameters={"type": "object", "description": WORDS_100 * 20})
    picture = Message(role="user", parts=(ImagePart(url="https://example.com/a.png"),))

    assert needs_counting(request(tools=(tool,)), spec(context_window=8192))
    assert needs_counting(request(picture, max_tokens=10), spec(context_window=1500))
    with pytest.raises(ContextTooLong):
        TokenBudgetCheck().run(request(picture, max_tokens=10), target(spec(context_window=1500)))


def test_lone_surrogates_do_not_break_it() -> None:
    """Python strings can hold what UTF-8 can't."""
    asked = request(user("\ud800" * 10))

    assert asked is TokenBudgetCheck().run(asked, target(spec(context_window=8192))).request


def test_prompt_that_pinned_messages_make_too_long_says_so() -> None:
    """Shortening the prompt would not help: they are named, with their share and the way to unpin them."""
    pinned = tuple(attrs.evolve(each, pinned=True) for each in (user("w " * 300), assistant("w " * 100)))
    asked = request(user("hi"), history=(*pinned, user("x"), assistant("y")), max_tokens=20)

    with pytest.raises(ContextTooLong, match=r"of 2 pinned messages of the thread\).*unpin messages \(PATCH"):
        TokenBudgetCheck().run(asked, target(spec(context_window=200)))
    with pytest.raises(ContextTooLong) as plain:
        TokenBudgetCheck().run(request(user("w " * 400), max_tokens=20), target(spec(context_window=200)))
    assert "pin" not in str(plain.value)


def test_summary_that_alone_leaves_no_room_is_left_out() -> None:
    """Rather than refusing the chat; the turns behind it stay as they would without it."""
    history = (summary_turn("w " * 300, None), user("x"), assistant("y"))
    rewrite = TokenBudgetCheck().run(
        request(user("hi"), history=history, max_tokens=20), target(spec(context_window=200))
    )

    assert rewrite.request.history == history[1:]
    assert rewrite.warnings == (
        "the thread's summary was left out: it alone exceeds the window of `openai:gpt-4`",
    )
    assert not any("earlier messages" in each for each in rewrite.notes)


def test_summary_stays_where_turns_can_go() -> None:
    """It stands for more than they do."""
    history = (summary_turn("w " * 60, None), user("w " * 80), assistant("y"))
    rewrite = TokenBudgetCheck().run(
        request(user("hi"), history=history, max_tokens=20), target(spec(context_window=200))
    )

    assert rewrite.request.history == history[:1]
    assert "1 pinned stays, the summary included." in rewrite.notes[0]


def test_prompt_too_long_without_its_summary_is_refused() -> None:
    """Leaving it out would not help."""
    with pytest.raises(ContextTooLong, match="shorten the prompt"):
        TokenBudgetCheck().run(
            request(user("w " * 400), history=(summary_turn("w", None),), max_tokens=20),
            target(spec(context_window=200)),
        )


def test_needs_counting_foresees_the_format_pass() -> None:
    """Its False holds after the format pass has added instruction and schema."""
    schema = {"type": "object", "description": "x" * 3000}

    assert not needs_counting(request(), spec(context_window=12_000))
    assert needs_counting(request(schema=schema), spec(context_window=9_000))


def test_fast_path_costs_microseconds() -> None:
    """15 µs is the aim; the bound allows for a busy machine."""
    asked = request(user("What is the capital of France?"), system="Be brief.", max_tokens=4000)
    aimed = target(spec(context_window=8192, max_output_tokens=8192))
    check = TokenBudgetCheck()

    best = min(timeit.repeat(lambda: check.run(asked, aimed), number=2000, repeat=5)) / 2000

    assert best < 60e-6


_TURNS = st.lists(
    st.one_of(
        st.builds(lambda n: (user("w " * n), assistant("ok")), st.integers(1, 60)),
        st.builds(
            lambda i: (user("q"), calls(str(i)), result(str(i)), assistant("a")), st.integers(0, 10**6)
        ),
        st.builds(lambda: (assistant("stray"),)),
    ),
    max_size=12,
)


@given(_TURNS, st.integers(80, 400))
def test_trimmed_history_is_always_well_formed(turns: list[tuple[Message, ...]], window: int) -> None:
    """Whatever is cut: a suffix, in order, starting with a user message, no result without its call."""
    history = tuple(each for turn in turns for each in turn)

    rewrite = TokenBudgetCheck().run(
        request(user("now"), history=history, max_tokens=50), target(spec(context_window=window))
    )

    kept = rewrite.request.history
    assert history[len(history) - len(kept) :] == kept
    if len(kept) < len(history) and kept:
        assert kept[0].role == "user"
    made = {call.id for message in kept for call in message.tool_calls}
    assert all(message.tool_call_id in made for message in kept if message.tool_call_id is not None)
