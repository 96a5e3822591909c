"""What the thread remembers goes into the request."""

import attrs

from domain.answer import ContextUse, LeftOut
from domain.chat import ChatRequest, OutputConstraint, Tool, ToolChoice
from domain.memory import Memory, choose_memory
from domain.message import Message
from domain.model import ModelRef
from domain.passes.memory_lane import WHY, MemoryLane, memory_turns
from domain.passes.prompt_size import count_prompt, prompt_bound
from domain.passes.system_prompt import SystemPrompt
from domain.passes.token_budget import TokenBudgetCheck, needs_counting
from domain.prompt.compiled import RenderedPrompt
from domain.prompt.reference import PromptName, VersionRef
from domain.summary_turn import SUMMARY_LABEL
from domain.usage import Usage
from tests.support.compiling import assistant, request, spec, target, user
from tests.support.threads import thread_of

WORDS_100 = " ".join(["abcdefghi"] * 100)
TURNS = (user("Hi"), assistant("Hello", token_count=1))
USE = ContextUse(
    injected=2,
    dropped=3,
    pinned=2,
    left_out=(LeftOut(reason="unanswered", messages=1), LeftOut(reason="cut_by_depth", messages=2)),
)


def test_remembered_turns_become_the_history() -> None:
    """In their order, and said in notes."""
    asked = attrs.evolve(request(), memory=Memory(messages=TURNS, use=USE))
    rewrite = MemoryLane().run(asked, target())

    assert rewrite.request == attrs.evolve(asked, memory=None, history=TURNS)
    assert rewrite.notes == (
        "Put in 2 messages of the thread, 2 of them pinned before the depth.",
        f"Left out 1 message (`unanswered`): {WHY['unanswered']}.",
        f"Left out 2 messages (`cut_by_depth`): {WHY['cut_by_depth']}.",
    )
    assert MemoryLane().run(rewrite.request, target()).request is rewrite.request


def test_summary_is_the_first_turn_and_says_what_it_is() -> None:
    """A user's turn, not a system's, and the budget keeps it."""
    memory = Memory(
        messages=TURNS, summary="They met.", summary_token_count=3, use=ContextUse(injected=2, summarised=8)
    )
    rewrite = MemoryLane().run(attrs.evolve(request(), memory=memory), target())
    summary, *rest = rewrite.request.history

    assert (summary.role, summary.text, summary.pinned) == ("user", f"{SUMMARY_LABEL}\n\nThey met.", True)
    assert rest == list(TURNS)
    assert rewrite.notes[0] == "Put in a summary of the thread's first 8 messages."
    assert "instruction" in SUMMARY_LABEL


def test_nobody_writes_notes_that_nobody_reads() -> None:
    """The hot path."""
    asked = attrs.evolve(request(), memory=Memory(messages=TURNS, use=USE))

    assert MemoryLane().run(asked, attrs.evolve(target(), explains=False)).notes == ()


def test_request_without_memory_is_left_alone() -> None:
    """So is one whose memory is empty, history and all."""
    assert MemoryLane().run(request(), target()).request == request()
    asked = attrs.evolve(request(), memory=Memory())
    rewrite = MemoryLane().run(asked, target())

    assert rewrite.request == request()
    assert rewrite.notes == ("The thread has nothing to remember within the depth.",)


def test_every_field_of_the_request_survives_both_passes() -> None:
    """The short forms of evolve name each field by hand."""
    prompt = RenderedPrompt(ref=VersionRef(PromptName("p"), 1), hash="0" * 64, system="S.")
    full = ChatRequest(
        messages=(user("now"),),
        history=(user("a"), assistant("b")),
        prompt=prompt,
        memory=Memory(messages=TURNS),
        model=ModelRef("a", "b"),
        fallbacks=(ModelRef("c", "d"),),
        format="json",
        schema={"type": "object"},
        output=OutputConstraint(kind="json_object"),
        max_tokens=5,
        temperature=0.5,
        top_p=0.5,
        stop=("x",),
        seed=1,
        tools=(Tool(name="f"),),
        tool_choice=ToolChoice(mode="auto"),
        user="u",
    )
    placed = MemoryLane().run(SystemPrompt().run(full, target()).request, target()).request

    assert placed == attrs.evolve(
        full, prompt=None, memory=None, system="S.", history=(*TURNS, user("a"), assistant("b"))
    )


def test_bound_counts_what_the_pass_will_put_in() -> None:
    """Whether to count is decided before the passes run."""
    memory = Memory(messages=(user(WORDS_100), assistant("ok")), summary="They met.")
    asked = attrs.evolve(request(), memory=memory)

    assert prompt_bound(asked) == prompt_bound(MemoryLane().run(asked, target()).request)
    assert needs_counting(asked, spec(context_window=500))
    assert not needs_counting(request(), spec(context_window=5000))


def test_budget_keeps_pinned_messages_and_the_summary() -> None:
    """What it drops lies between them; it says so."""
    pinned = tuple(attrs.evolve(each, pinned=True) for each in (user("keep"), assistant("this")))
    memory = Memory(
        messages=(*pinned, user(WORDS_100), assistant(WORDS_100), user("c"), assistant("d")),
        summary="They met.",
    )
    compiled = MemoryLane().run(attrs.evolve(request(max_tokens=20), memory=memory), target()).request
    rewrite = TokenBudgetCheck().run(compiled, target(spec(context_window=150)))

    kept = rewrite.request.history
    assert (*memory_turns(memory)[:3], user("c"), assistant("d")) == kept
    assert "Left out 2 of 7" in rewrite.notes[0]
    assert "3 pinned stay, the summary included" in rewrite.notes[0]


def test_stored_counts_get_the_margin_of_the_model_they_go_to() -> None:
    """They were counted for whatever model the thread spoke with then."""
    asked = request(user("now"), history=(user("x", token_count=100),))

    assert (100,) == count_prompt(asked, spec(), target().meter).history
    assert (150,) == count_prompt(asked, spec(count_margin=0.5), target().meter).history
    assert prompt_bound(asked, 0.5) - prompt_bound(asked) == 50


def test_messages_are_the_same_objects() -> None:
    """What is counted of them can be told to whom they belong."""
    asked = attrs.evolve(request(), memory=Memory(messages=TURNS))
    placed: tuple[Message, ...] = MemoryLane().run(asked, target()).request.history

    assert all(one is other for one, other in zip(placed, TURNS, strict=True))


def test_count_of_the_provider_that_is_asked_gets_no_margin() -> None:
    """Its own tokenizer counted; what lor3 or another provider counted gets the margin, and so does a question."""
    maker = thread_of("chat", "chat", "chat")
    for position, (provider, estimated) in ((1, ("a", False)), (3, ("other", False)), (5, ("a", True))):
        stored = maker.messages[position]
        maker.messages[position] = attrs.evolve(
            stored,
            message=attrs.evolve(stored.message, token_count=100),
            model=ModelRef(provider, "x"),
            usage=Usage(input_tokens=1, output_tokens=100, estimated=estimated),
        )
    memory = attrs.evolve(choose_memory(maker.conversation(10), depth=10), summary="They met.")
    padded = attrs.evolve(spec(count_margin=0.5), ref=ModelRef("a", "y"))
    placed = MemoryLane().run(attrs.evolve(request(user("Hi")), memory=memory), target(padded)).request
    size = count_prompt(placed, padded, target(padded).meter)

    assert [each.count_is_exact for each in placed.history] == [
        False,
        False,
        True,
        False,
        False,
        False,
        False,
    ]
    assert [size.history[2], size.history[4], size.history[6]] == [100, 150, 150]
