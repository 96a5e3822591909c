"""What a model refuses is left out, never in silence."""

import attrs

from domain.model import ALL_CAPABILITIES
from domain.passes.model_limits import ModelLimits
from tests.support.compiling import request, spec, target

ASKED = attrs.evolve(request(), temperature=0.3, top_p=0.5, seed=7, stop=("A",))


def test_model_that_takes_everything_gets_everything() -> None:
    """The request is the same object: nothing was rewritten."""
    assert ModelLimits().run(ASKED, target()).request is ASKED


def test_what_a_model_refuses_is_left_out_with_a_warning() -> None:
    """All of it in one sentence, which names the parameters and the model."""
    narrow = attrs.evolve(spec(), capabilities=ALL_CAPABILITIES - {"sampling", "seed", "stop"})
    rewrite = ModelLimits().run(ASKED, target(narrow))

    assert rewrite.request == attrs.evolve(ASKED, temperature=None, top_p=None, seed=None, stop=())
    assert rewrite.warnings == (
        f"`temperature`, `top_p`, `seed`, `stop` left out: {narrow.ref} does not take it",
    )


def test_only_what_was_asked_for_is_warned_of() -> None:
    """A request without the parameters has nothing to lose."""
    narrow = attrs.evolve(spec(), capabilities=frozenset())

    assert ModelLimits().run(request(), target(narrow)).warnings == ()


def test_further_parameters_of_sampling_go_with_it() -> None:
    """Others are the provider's to judge."""
    asked = attrs.evolve(request(), parameters={"top_k": 4, "frequency_penalty": 0.5, "store": True})
    narrow = attrs.evolve(spec(), capabilities=ALL_CAPABILITIES - {"sampling"})
    rewrite = ModelLimits().run(asked, target(narrow))

    assert rewrite.request.parameters == {"store": True}
    assert "`frequency_penalty`, `top_k` left out" in rewrite.warnings[0]
