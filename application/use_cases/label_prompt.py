"""Move a label of a prompt."""

from typing import Final

import attrs

from application.ports.clock import Clock
from application.ports.unit_of_work import UnitOfWork, UnitOfWorkFactory
from application.services.prompt_lookup import demand_match, no_label, no_prompt, no_version
from application.services.prompt_oven import PromptOven
from domain.errors import Fault, InvalidRequest, LabelProtected, NotFound
from domain.ids import DEFAULT_TENANT, Tenant
from domain.prompt.reference import PromptName, VersionRef, label_name
from domain.prompt.version import Label, LabelMove, Prompt, Weights
from domain.values import frozen

MAX_WEIGHT: Final = 1_000_000
MAX_VERSIONS: Final = 16
"""Of one rollout."""
MAX_LABELS: Final = 64
"""Of one prompt: they are read with every look at it."""


@frozen(kw_only=True)
class LabelPromptCommand:
    tenant: Tenant = DEFAULT_TENANT
    name: PromptName
    label: str
    weights: Weights | None
    """None keeps where it points, to change its protection alone; empty takes the label away."""
    protected: bool | None = None
    """None keeps it as it is; a new label is not protected."""
    force: bool = False
    """Needed to move or take away a protected label."""
    author: str | None = None
    message: str | None = None
    if_match: tuple[str, ...] | None = None
    """As in `VersionPromptCommand`."""


@frozen(kw_only=True)
class LabelledPrompt:
    prompt: Prompt
    label: Label | None
    """None where it was taken away."""
    before: Weights
    """Empty for a new one."""


@attrs.define(kw_only=True)
class LabelPrompt:
    """Moves a label atomically and keeps its history.

    What changes nothing (the same place, the same protection) writes nothing: the revision stays, and the
    history has no entry. A protected label moves by `force` alone, even where the same call lifts its
    protection; a call that does not move it may set or lift its protection without `force`. The history has
    moves only: no change of protection.
    """

    _unit_of_work: UnitOfWorkFactory
    _oven: PromptOven
    _clock: Clock

    async def execute(self, command: LabelPromptCommand) -> LabelledPrompt:
        """
        Raises:
            InvalidRequest: a name, a weight or a version is not one.
            NotFound: there is no such prompt, or no such label to take away.
            LabelProtected: the label is protected and `force` is not given.
            PreconditionFailed: somebody else changed the prompt first.
            StorageUnavailable: nothing was changed.
        """
        weights = _checked(command)
        async with self._unit_of_work(command.tenant) as work:
            head = await work.prompts.lock(command.name)
            demand_match(head, command.name, command.if_match)
            if head is None:
                raise NotFound(await no_prompt(work, command.name))
            before = head.label(command.label)
            if before is None and not weights:
                raise NotFound(no_label(head, command.label))
            if before is None and len(head.labels) >= MAX_LABELS:
                raise InvalidRequest.of(
                    Fault(path="label", message=f"the prompt has {MAX_LABELS} labels already; take one away")
                )
            place = before.weights if weights is None and before is not None else weights or ()
            moves = before is None or place != before.weights
            if moves and place:
                # Before its protection: `force` would not help.
                await _demand_versions(work, head, place)
            if moves and before is not None and before.protected and not command.force:
                raise LabelProtected(
                    f"the label `{command.label}` of `{command.name}` is protected, and stays at "
                    f"{spelled(before.weights)}; say `force` to move it all the same"
                )
            label = self._label(command, before, place, moves=moves)
            if label == before:
                return LabelledPrompt(prompt=head, label=before, before=place)
            others = tuple(each for each in head.labels if each.name != command.label)
            labels = others if label is None else (*others, label)
            prompt = attrs.evolve(
                head,
                labels=tuple(sorted(labels, key=lambda each: each.name)),
                revision=head.revision + 1,
                updated_at=self._clock.now(),
            )
            await work.prompts.put(prompt)
            if moves:
                await work.prompts.note_move(
                    LabelMove(
                        name=command.name,
                        label=command.label,
                        weights=place,
                        author=command.author,
                        message=command.message,
                        moved_at=prompt.updated_at,
                    )
                )
            await work.commit()
        self._oven.changed(command.tenant, command.name)
        return LabelledPrompt(prompt=prompt, label=label, before=() if before is None else before.weights)

    def _label(
        self, command: LabelPromptCommand, before: Label | None, place: Weights, *, moves: bool
    ) -> Label | None:
        """The label as it shall be."""
        if not place:
            return None
        protected = command.protected
        if protected is None:
            protected = before is not None and before.protected
        if before is not None and not moves:
            return attrs.evolve(before, protected=protected)
        return Label(
            name=command.label,
            weights=place,
            protected=protected,
            moved_at=self._clock.now(),
            moved_by=command.author,
        )


def spelled(weights: Weights) -> str:
    """`v3`, or `v3: 90, v4: 10`."""
    if len(weights) == 1:
        return f"v{weights[0][0]}"
    return ", ".join(f"v{number}: {weight}" for number, weight in weights)


def _checked(command: LabelPromptCommand) -> Weights | None:
    """The weights by number, the only one as 1.

    Raises:
        InvalidRequest: naming everything that is wrong with the command by itself.
    """
    faults: list[Fault] = []
    try:
        label_name(command.label)
    except InvalidRequest as error:
        faults.extend(error.faults)
    weights = command.weights
    if weights is None and command.protected is None:
        message = "say where the label points (`version` or `weights`), or whether it is `protected`"
        faults.append(Fault(path="", message=message))
    if weights == () and command.protected is not None:
        message = "a label that is taken away has no protection; leave `protected` out"
        faults.append(Fault(path="protected", message=message))
    if weights is not None:
        faults.extend(_weight_faults(weights))
    if faults:
        raise InvalidRequest.of(*faults)
    if weights is None or len(weights) != 1:
        return None if weights is None else tuple(sorted(weights))
    return ((weights[0][0], 1),)


def _weight_faults(weights: Weights) -> list[Fault]:
    faults: list[Fault] = []
    if len(weights) > MAX_VERSIONS:
        message = f"a rollout has at most {MAX_VERSIONS} versions, here are {len(weights)}; leave some out"
        faults.append(Fault(path="weights", message=message))
    seen: set[int] = set()
    for number, weight in weights[: MAX_VERSIONS + 1]:
        path = f"weights.v{number}"
        if number in seen:
            faults.append(Fault(path=path, message="is given twice; add its weights up"))
        seen.add(number)
        if weight == 0:
            faults.append(Fault(path=path, message="a version without weight is never chosen; leave it out"))
        elif not 1 <= weight <= MAX_WEIGHT:
            message = f"a weight is a whole number from 1 to {MAX_WEIGHT:,}; `90` to `10` makes nine in ten"
            faults.append(Fault(path=path, message=message))
    return faults


async def _demand_versions(work: UnitOfWork, head: Prompt, weights: Weights) -> None:
    """
    Raises:
        InvalidRequest: naming every version that there is none of.
    """
    refs = tuple(VersionRef(head.name, number) for number, _ in weights)
    there = {version.ref for version in await work.prompts.find(refs)}
    missing = [ref.number for ref in refs if ref not in there]
    if missing:
        only = len(weights) == 1
        raise InvalidRequest.of(
            *(
                Fault(path="version" if only else f"weights.v{number}", message=no_version(head, number))
                for number in missing
            )
        )
