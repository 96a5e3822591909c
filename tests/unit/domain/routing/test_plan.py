"""Which candidates are in, and why the others are out."""

from domain.chat import ChatRequest, Tool
from domain.message import ImagePart, Message, TextPart
from domain.model import ModelRef, ModelSpec
from domain.routing.plan import Candidate, plan_candidates

A = ModelSpec(ref=ModelRef("openai", "a"))
TEXT_ONLY = ModelSpec(ref=ModelRef("openai", "b"), capabilities=frozenset())


def _request(**changes: object) -> ChatRequest:
    fields: dict[str, object] = {"messages": (Message.of("user", "hi"),), "model": A.ref, **changes}
    return ChatRequest(**fields)  # type: ignore[arg-type] # a test's own keywords


def _plan(request: ChatRequest, *specs: ModelSpec, words_for_schema: bool = True) -> tuple[Candidate, ...]:
    return plan_candidates(
        request, specs, unavailable={"mistral": "no API key"}, words_for_schema=words_for_schema
    )


def test_order_is_kept_and_a_repeated_model_counts_once() -> None:
    """Primary first, then the fallbacks as written."""
    plan = _plan(_request(), A, TEXT_ONLY, A)

    assert [(each.spec, each.included) for each in plan] == [(A, True), (TEXT_ONLY, True)]


def test_model_without_tools_is_out_when_the_request_has_some() -> None:
    """The reason names the capability."""
    plan = _plan(_request(tools=(Tool(name="f"),)), TEXT_ONLY, A)

    assert [each.included for each in plan] == [False, True]
    assert "tools" in (plan[0].refusal or "")


def test_model_without_images_is_out_even_for_an_image_in_the_history() -> None:
    """The whole conversation goes over the wire."""
    picture = Message(role="user", parts=(TextPart(text="look"), ImagePart(url="https://example.org/a.png")))
    plan = _plan(_request(history=(picture,)), TEXT_ONLY)

    assert "images" in (plan[0].refusal or "")


def test_schema_without_native_support_needs_the_format_pass() -> None:
    """In words where the pass is configured, else out."""
    request = _request(schema={"type": "object"}, format="json")

    assert _plan(request, TEXT_ONLY)[0].included
    assert not _plan(request, TEXT_ONLY, words_for_schema=False)[0].included


def test_provider_that_cannot_be_called_is_out_with_its_reason() -> None:
    """A missing key is told, not found out by a 401."""
    plan = _plan(_request(), ModelSpec(ref=ModelRef("mistral", "large")))

    assert plan[0].refusal == "no API key"


def test_model_whose_provider_does_not_take_a_parameter_is_out() -> None:
    """The reason names them, in the order of the request; other providers' refusals are theirs."""
    other = ModelSpec(ref=ModelRef("local", "m"))
    plan = plan_candidates(
        _request(parameters={"top_k": 1, "min_p": 0.1, "store": True}),
        (A, other),
        unavailable={},
        words_for_schema=True,
        refused_parameters={"openai": frozenset(("min_p", "top_k")), "local": frozenset()},
    )

    assert [(each.included, each.refused_parameters) for each in plan] == [
        (False, ("top_k", "min_p")),
        (True, ()),
    ]
    assert plan[0].refusal == "its provider does not take `top_k`, `min_p`"
