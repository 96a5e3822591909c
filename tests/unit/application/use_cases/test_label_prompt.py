"""Where labels may point, who may move them, and what their history says."""

import asyncio
import itertools
from typing import Any

import pytest

from application.use_cases.label_prompt import MAX_LABELS, LabelledPrompt, LabelPromptCommand
from domain.errors import InvalidRequest, LabelProtected, NotFound, PreconditionFailed
from domain.ids import DEFAULT_TENANT
from domain.prompt.reference import PromptName, PromptReference
from domain.prompt.version import Weights
from tests.support.prompt_bench import PromptBench, ref

NAME = PromptName("support")


@pytest.fixture
async def bench() -> PromptBench:
    """A prompt of three versions."""
    bench = PromptBench()
    for text in ("One.", "Two.", "Three."):
        await bench.make(NAME, text)
    return bench


async def _label(bench: PromptBench, weights: Weights | None, **fields: Any) -> LabelledPrompt:
    fields = {"label": "production", **fields}
    return await bench.label.execute(LabelPromptCommand(name=NAME, weights=weights, **fields))


async def _history(bench: PromptBench) -> list[tuple[Weights, str | None, str | None]]:
    moves = await bench.read.moves(DEFAULT_TENANT, NAME, "production")
    return [(move.weights, move.author, move.message) for move in moves]


async def test_new_label_points_to_a_version(bench: PromptBench) -> None:
    """The head has it, its ETag is a new one, and the history an entry."""
    before = await bench.head(NAME)

    made = await _label(bench, ((2, 100),), author="ada", message="tested")

    assert () == made.before
    assert made.label is not None
    assert (((2, 1),), False, "ada") == (made.label.weights, made.label.protected, made.label.moved_by)
    assert made.prompt == await bench.head(NAME)
    assert before.revision + 1 == made.prompt.revision
    assert [(((2, 1),), "ada", "tested")] == await _history(bench)


async def test_moved_label_is_served_at_once(bench: PromptBench) -> None:
    """By the oven of the replica that moved it."""
    reference = PromptReference.parse("support")
    await bench.move(NAME, "production", 1)
    assert ref("support:v1") == (await bench.oven.bake(reference, tenant=DEFAULT_TENANT, key="")).ref

    moved = await bench.move(NAME, "production", 2)

    assert ((1, 1),) == moved.before
    assert ref("support:v2") == (await bench.oven.bake(reference, tenant=DEFAULT_TENANT, key="")).ref


async def test_rollout_keeps_its_weights_by_number(bench: PromptBench) -> None:
    """However they were given."""
    made = await _label(bench, ((3, 10), (1, 90)))

    assert made.label is not None
    assert ((1, 90), (3, 10)) == made.label.weights


async def test_labels_are_kept_by_name(bench: PromptBench) -> None:
    """And the others stay where they are."""
    await bench.move(NAME, "staging", 3)
    await bench.move(NAME, "canary", 2)

    made = await bench.move(NAME, "production", 1)

    assert ["canary", "production", "staging"] == [label.name for label in made.prompt.labels]


async def test_same_place_changes_nothing(bench: PromptBench) -> None:
    """No revision, no time, no entry in the history."""
    first = await _label(bench, ((2, 100),), author="ada")
    bench.clock.advance(60)

    again = await _label(bench, ((2, 1),), author="grace")

    assert first.prompt == again.prompt == await bench.head(NAME)
    assert first.label == again.label
    assert 1 == len(await _history(bench))


async def test_protection_alone_can_be_changed(bench: PromptBench) -> None:
    """It is a change of the head and no move."""
    first = await _label(bench, ((2, 1),))

    protected = await _label(bench, None, protected=True)
    lifted = await _label(bench, None, protected=False)

    assert protected.label is not None
    assert lifted.label is not None
    assert (True, False) == (protected.label.protected, lifted.label.protected)
    assert first.prompt.revision + 2 == lifted.prompt.revision
    assert first.label == lifted.label
    assert 1 == len(await _history(bench))


async def test_protected_label_moves_by_force_alone(bench: PromptBench) -> None:
    """The refusal says where it stays and how to move it; its protection lasts."""
    await _label(bench, ((2, 1),), protected=True)

    with pytest.raises(LabelProtected, match=r"`production`.*stays at v2; say `force`"):
        await _label(bench, ((3, 1),))
    with pytest.raises(LabelProtected):
        await _label(bench, ())
    moved = await _label(bench, ((3, 1),), force=True)

    assert moved.label is not None
    assert (((3, 1),), True) == (moved.label.weights, moved.label.protected)
    assert 2 == len(await _history(bench))


async def test_absent_version_is_named_before_the_protection(bench: PromptBench) -> None:
    """Whoever is told of `force` first would use it in vain; a label that goes or stays needs no version."""
    await _label(bench, ((2, 1),), protected=True)

    with pytest.raises(InvalidRequest, match="no version v9"):
        await _label(bench, ((9, 1),))
    with pytest.raises(InvalidRequest, match="no version v9"):
        await _label(bench, ((3, 1), (9, 1)), force=True)
    with pytest.raises(LabelProtected):
        await _label(bench, ())


async def test_lifting_protection_does_not_let_the_same_call_move(bench: PromptBench) -> None:
    """Two steps without `force`, or one with it."""
    await _label(bench, ((2, 1),), protected=True)

    with pytest.raises(LabelProtected):
        await _label(bench, ((3, 1),), protected=False)
    moved = await _label(bench, ((3, 1),), protected=False, force=True)

    assert moved.label is not None
    assert not moved.label.protected


async def test_protected_label_may_be_put_where_it_is(bench: PromptBench) -> None:
    """Idempotent scripts need no `force`."""
    first = await _label(bench, ((2, 1),), protected=True)

    again = await _label(bench, ((2, 1),))

    assert first.prompt == again.prompt


async def test_label_is_taken_away(bench: PromptBench) -> None:
    """The history keeps what it was, and says that it went."""
    await _label(bench, ((2, 1),))

    gone = await _label(bench, (), author="ada", message="done")

    assert gone.label is None
    assert ((2, 1),) == gone.before
    assert () == gone.prompt.labels
    assert [((), "ada", "done"), (((2, 1),), None, None)] == await _history(bench)


async def test_absent_label_can_not_be_taken_away_or_protected(bench: PromptBench) -> None:
    """The error says which there are."""
    await bench.move(NAME, "staging", 1)

    with pytest.raises(NotFound, match="no label `production`; it has: `latest`, `staging`"):
        await _label(bench, ())
    with pytest.raises(NotFound, match="no label `production`"):
        await _label(bench, None, protected=True)


async def test_absent_prompt(bench: PromptBench) -> None:
    """The error says what there is."""
    with pytest.raises(NotFound, match="no prompt `suport`; there are: `support`; did you mean `support`"):
        await bench.move("suport", "production", 1)


async def test_every_missing_version_is_named(bench: PromptBench) -> None:
    """At once, and nothing moves."""
    with pytest.raises(InvalidRequest) as caught:
        await _label(bench, ((1, 1), (7, 1), (8, 1)))
    with pytest.raises(InvalidRequest) as single:
        await _label(bench, ((9, 1),))

    assert ["weights.v7", "weights.v8"] == [fault.path for fault in caught.value.faults]
    assert "it is not made yet; its newest is v3" in caught.value.faults[0].message
    assert ["version"] == [fault.path for fault in single.value.faults]
    assert () == (await bench.head(NAME)).labels


@pytest.mark.parametrize(
    ("weights", "path", "words"),
    [
        (((1, 0), (2, 1)), "weights.v1", "leave it out"),
        (((1, -1), (2, 1)), "weights.v1", "from 1 to 1,000,000"),
        (((1, 1_000_001), (2, 1)), "weights.v1", "from 1 to 1,000,000"),
        (((1, 5), (1, 6)), "weights.v1", "given twice"),
        (tuple((number, 1) for number in range(1, 18)), "weights", "at most 16"),
    ],
)
async def test_unfit_weights(bench: PromptBench, weights: Weights, path: str, words: str) -> None:
    """Each with its place and what would do."""
    with pytest.raises(InvalidRequest) as caught:
        await _label(bench, weights)

    assert [path] == [fault.path for fault in caught.value.faults]
    assert words in caught.value.faults[0].message


async def test_faults_are_named_together(bench: PromptBench) -> None:
    """The label's name and each weight."""
    with pytest.raises(InvalidRequest) as caught:
        await _label(bench, ((1, 0), (2, -1)), label="latest")

    assert ["label", "weights.v1", "weights.v2"] == [fault.path for fault in caught.value.faults]


async def test_command_must_ask_for_something(bench: PromptBench) -> None:
    """Neither a place nor a protection is a mistake, and so is protecting what goes."""
    with pytest.raises(InvalidRequest, match="say where the label points"):
        await _label(bench, None)
    with pytest.raises(InvalidRequest, match="leave `protected` out"):
        await _label(bench, (), protected=False)


async def test_stale_etag_is_refused(bench: PromptBench) -> None:
    """Even where the label is there already."""
    stale = (await bench.head(NAME)).etag
    await _label(bench, ((2, 1),))

    with pytest.raises(PreconditionFailed):
        await _label(bench, ((2, 1),), if_match=(stale,))


async def test_number_of_labels_is_bounded(bench: PromptBench) -> None:
    """They are read with every look at the prompt; those that there are still move."""
    for index in range(MAX_LABELS):
        await bench.move(NAME, f"label-{index}", 1)

    with pytest.raises(InvalidRequest, match="has 64 labels already"):
        await bench.move(NAME, "one-more", 1)
    moved = await bench.move(NAME, "label-0", 2)

    assert MAX_LABELS == len(moved.prompt.labels)


async def test_movers_at_once_leave_one_truth(bench: PromptBench) -> None:
    """The label is where the newest entry of its history says."""
    await asyncio.gather(*(bench.move(NAME, "production", 1 + index % 3) for index in range(12)))

    label = (await bench.head(NAME)).label("production")
    assert label is not None
    history = await _history(bench)
    assert label.weights == history[0][0]
    assert all(newer[0] != older[0] for newer, older in itertools.pairwise(history))
