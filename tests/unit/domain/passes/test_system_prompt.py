"""The stored prompt goes into the request."""

import attrs
import pytest

from domain.chat import ChatRequest, OutputConstraint, Tool, ToolChoice
from domain.memory import Memory
from domain.message import Message
from domain.model import ModelRef
from domain.passes.prompt_size import prompt_bound
from domain.passes.system_prompt import SystemPrompt
from domain.prompt.compiled import RenderedPrompt
from domain.prompt.reference import PromptName, VersionRef
from tests.support.compiling import request, target

EXAMPLES = (Message.of("user", "cheese"), Message.of("assistant", "fromage"))
PROMPT = RenderedPrompt(
    ref=VersionRef(PromptName("translator"), 3),
    hash="0" * 64,
    system="Translate.",
    turns=EXAMPLES,
    fragments=(VersionRef(PromptName("tone"), 2),),
)


def test_prompt_takes_the_place_of_the_fixed_text_and_leads_the_conversation() -> None:
    """Its turns go in front of the history, where no budget trims them."""
    asked = attrs.evolve(request(), system="fixed", prompt=PROMPT)
    rewrite = SystemPrompt().run(asked, target())

    assert rewrite.request == attrs.evolve(asked, prompt=None, system="Translate.", prelude=EXAMPLES)
    assert rewrite.notes == (
        "Put `translator:v3` in as the system prompt and as 2 turns in front of the conversation.",
        "It is composed with `tone:v2`.",
    )
    assert SystemPrompt().run(rewrite.request, target()).request is rewrite.request


@pytest.mark.parametrize(
    ("system", "turns", "fragments", "notes"),
    [
        (
            "Translate.",
            (),
            (),
            ("Put `translator:v3` in as the system prompt.", "It is made of one text, without fragments."),
        ),
        (
            None,
            EXAMPLES[:1],
            (),
            ("Put `translator:v3` in as 1 turn in front of the conversation.", "It has no fragments."),
        ),
        (
            "Translate.",
            EXAMPLES,
            (),
            (
                "Put `translator:v3` in as the system prompt and as 2 turns in front of the conversation.",
                "It has no fragments.",
            ),
        ),
    ],
)
def test_notes_say_what_was_put_in(
    system: str | None, turns: tuple[Message, ...], fragments: tuple[VersionRef, ...], notes: tuple[str, str]
) -> None:
    """Nothing that is not there."""
    prompt = attrs.evolve(PROMPT, system=system, turns=turns, fragments=fragments)

    assert notes == SystemPrompt().run(attrs.evolve(request(), prompt=prompt), target()).notes


def test_request_without_a_prompt_stays_as_it_is() -> None:
    """And the pass says so."""
    asked = attrs.evolve(request(), system="fixed")
    rewrite = SystemPrompt().run(asked, target())

    assert rewrite.request is asked
    assert rewrite.notes == ("No prompt of the Prompt Oven was asked for.",)


def test_prompt_counts_before_and_after_it_is_put_in() -> None:
    """Whether counting is needed is decided before the passes run."""
    asked = attrs.evolve(request(), prompt=PROMPT)
    placed = SystemPrompt().run(asked, target()).request

    assert prompt_bound(asked) == prompt_bound(placed) > prompt_bound(request())


def test_texts_of_white_space_alone_are_left_out() -> None:
    """Anthropic refuses them."""
    blank = attrs.evolve(PROMPT, system=" \n ", turns=(Message.of("user", "\t"), *EXAMPLES))
    rewrite = SystemPrompt().run(attrs.evolve(request(), prompt=blank), target())
    empty = attrs.evolve(PROMPT, system="", turns=())
    nothing = SystemPrompt().run(attrs.evolve(request(), prompt=empty), target())

    assert (rewrite.request.system, rewrite.request.prelude) == (None, EXAMPLES)
    assert nothing.request.system is None
    assert nothing.notes == (
        "Put nothing in: all that `translator:v3` says with these variables is white space.",
    )


def test_everything_else_of_a_request_stays() -> None:
    """Field by field: one that is added to the request must be carried over too."""
    full = ChatRequest(
        messages=(Message.of("user", "Hi"),),
        history=(Message.of("user", "before"),),
        prompt=PROMPT,
        memory=Memory(),
        system="fixed",
        prelude=(),
        model=ModelRef("a", "b"),
        fallbacks=(ModelRef("c", "d"),),
        format="json",
        schema={"type": "object"},
        output=OutputConstraint(kind="json_object"),
        max_tokens=1,
        temperature=0.5,
        top_p=0.6,
        stop=("x",),
        seed=7,
        tools=(Tool(name="t"),),
        tool_choice=ToolChoice(mode="auto"),
        user="u",
        parameters={"top_k": 1},
    )
    told = {field.name for field in attrs.fields(ChatRequest) if getattr(full, field.name) == field.default}

    assert told == {"prelude"}
    assert full.with_prompt_in("new", EXAMPLES) == attrs.evolve(
        full, prompt=None, system="new", prelude=EXAMPLES
    )
