"""Delete a version that nothing needs."""

from typing import Final

import attrs

from application.ports.clock import Clock
from application.ports.unit_of_work import UnitOfWork, UnitOfWorkFactory
from application.services.prompt_lookup import demand_match, no_prompt, no_version
from application.services.prompt_oven import PromptOven
from domain.errors import NotFound, VersionInUse
from domain.ids import DEFAULT_TENANT, Tenant
from domain.prompt.reference import VersionRef
from domain.prompt.version import Prompt
from domain.values import frozen

MAX_SHOWN: Final = 10
"""Versions that pin the one in question, named in the refusal."""


@frozen(kw_only=True)
class DeletePromptVersionCommand:
    tenant: Tenant = DEFAULT_TENANT
    ref: VersionRef
    if_match: tuple[str, ...] | None = None


@attrs.define(kw_only=True)
class DeletePromptVersion:
    """Deletes a version; the prompt goes with its last one.

    Numbers are never given again, not even where the whole prompt went with its last version and is made anew:
    whoever wrote `name:v1` down somewhere gets that text or an error, and no other text. What stays of a prompt
    that went is its counters and the history of its labels; its links to a file and an assistant go. A prompt
    that still has a label never goes, as labels point at versions.
    """

    _unit_of_work: UnitOfWorkFactory
    _oven: PromptOven
    _clock: Clock

    async def execute(self, command: DeletePromptVersionCommand) -> None:
        """
        Raises:
            NotFound: there is no such version.
            VersionInUse: a chat used it, a label points to it, or another version pins it: says which.
            PreconditionFailed: somebody else changed the prompt first.
            StorageUnavailable: nothing was deleted.
        """
        ref = command.ref
        async with self._unit_of_work(command.tenant) as work:
            head = await work.prompts.lock(ref.name)
            demand_match(head, ref.name, command.if_match)
            if head is None:
                raise NotFound(await no_prompt(work, ref.name))
            if not await work.prompts.outlines((ref,)):
                raise NotFound(no_version(head, ref.number))
            needs = await _needs(work, head, ref)
            # Tried even where something needs it, to name a chat as well: the refusal rolls it back.
            if not await work.prompts.delete_version(ref):
                needs.insert(0, "a chat was answered with it, and its record must stay readable")
            if needs:
                raise VersionInUse(f"{ref} can't be deleted: " + "; ".join(needs))
            latest = head.latest
            if ref.number == latest:
                remaining = await work.prompts.history(ref.name, below=latest, limit=1)
                latest = remaining[0].number if remaining else 0
            if latest:
                await work.prompts.put(
                    attrs.evolve(
                        head, latest=latest, revision=head.revision + 1, updated_at=self._clock.now()
                    )
                )
            else:
                await work.prompts.remove(ref.name)
            await work.commit()
        self._oven.changed(command.tenant, ref.name)


async def _needs(work: UnitOfWork, head: Prompt, ref: VersionRef) -> list[str]:
    """What needs the version, each with what to do about it."""
    needs: list[str] = []
    labels = [label.name for label in head.labels if any(number == ref.number for number, _ in label.weights)]
    if labels:
        names = ", ".join(f"`{name}`" for name in labels)
        needs.append(
            f"the label {names} points to it; move it first"
            if len(labels) == 1
            else f"the labels {names} point to it; move them first"
        )
    pinning = await work.prompts.including(ref, limit=MAX_SHOWN + 1)
    if len(pinning) == 1:
        needs.append(f"{pinning[0]} includes it; delete that one first")
    elif pinning:
        names = ", ".join(str(each) for each in pinning[:MAX_SHOWN])
        more = " and more" if len(pinning) > MAX_SHOWN else ""
        needs.append(f"{names}{more} include it; delete those first")
    return needs
