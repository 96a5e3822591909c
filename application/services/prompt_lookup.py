"""Which version a reference means to an editor, and what to say where it means none."""

import re
from collections.abc import Sequence
from typing import Final

from application.ports.unit_of_work import UnitOfWork
from domain.errors import NotFound, PreconditionFailed
from domain.prompt.reference import LATEST, PromptName, PromptReference, VersionRef
from domain.prompt.rollout import heaviest_version
from domain.prompt.version import Prompt, PromptVersion, VersionOutline
from domain.suggestion import suggestion

_VERSION: Final = re.compile(r"v[1-9][0-9]{0,9}\Z")
MAX_SHOWN: Final = 20
"""Of the names that there are, in an error."""
MAX_SEARCHED: Final = 200
"""Names among which one like the unknown one is looked for."""


async def existing_prompt(work: UnitOfWork, name: PromptName) -> Prompt:
    """
    Raises:
        NotFound: there is no such prompt.
    """
    prompt = await work.prompts.get(name)
    if prompt is None:
        raise NotFound(await no_prompt(work, name))
    return prompt


async def existing_version(work: UnitOfWork, prompt: Prompt, reference: PromptReference) -> PromptVersion:
    """
    Raises:
        NotFound: the prompt has no such version or label.
    """
    ref = _meant(prompt, reference)
    found = await work.prompts.find((ref,))
    if not found:
        raise NotFound(no_version(prompt, ref.number))
    return found[0]


async def existing_outline(work: UnitOfWork, prompt: Prompt, reference: PromptReference) -> VersionOutline:
    """The same without the text. Raises as `existing_version` does."""
    ref = _meant(prompt, reference)
    found = await work.prompts.outlines((ref,))
    if not found:
        raise NotFound(no_version(prompt, ref.number))
    return found[0]


def demand_match(prompt: Prompt | None, name: PromptName, if_match: tuple[str, ...] | None) -> None:
    """If-Match, as RFC 9110 has it (section 13.1.1): strong comparison, `*` is any that exists.

    Raises:
        PreconditionFailed: the prompt has none of these ETags.
    """
    if if_match is None:
        return
    if prompt is None:
        raise PreconditionFailed(f"there is no prompt `{name}` any more; leave `If-Match` out to make it")
    if prompt.etag not in if_match and "*" not in if_match:
        raise PreconditionFailed(
            f"the prompt `{name}` was changed by somebody else: its ETag is {prompt.etag} now; "
            "read it again, and repeat the change on what it says"
        )


async def known_names(work: UnitOfWork) -> tuple[PromptName, ...]:
    """Enough of them to find the one that was meant."""
    return tuple(prompt.name for prompt in await work.prompts.list(limit=MAX_SEARCHED))


async def no_prompt(work: UnitOfWork, name: str) -> str:
    """The sentence for a name that no prompt has."""
    return no_prompt_among(name, await known_names(work))


def no_prompt_among(name: str, known: Sequence[PromptName]) -> str:
    """The same for whoever has the names at hand."""
    return f"there is no prompt `{name}`; " + (
        f"there are: {_known(name, known)}" if known else "none at all yet"
    )


def no_label(prompt: Prompt, label: str) -> str:
    """The sentence for a label that `prompt` does not have."""
    known = [LATEST, *(each.name for each in prompt.labels)]
    version = f"; the version is written `{prompt.name}:{label}`" if _VERSION.match(label) else ""
    return f"the prompt `{prompt.name}` has no label `{label}`; it has: {_known(label, known)}{version}"


def no_version(prompt: Prompt, number: int) -> str:
    """The sentence for a version that `prompt` does not have."""
    why = "was deleted" if number < prompt.next_number else "is not made yet"
    return f"the prompt `{prompt.name}` has no version v{number}, it {why}; its newest is v{prompt.latest}"


def _meant(prompt: Prompt, reference: PromptReference) -> VersionRef:
    number = heaviest_version(prompt, reference)
    if number is None:
        raise NotFound(no_label(prompt, str(reference.label)))
    return VersionRef(prompt.name, number)


def _known(asked: str, names: Sequence[str]) -> str:
    listed = ", ".join(f"`{name}`" for name in names[:MAX_SHOWN])
    more = " and more" if len(names) > MAX_SHOWN else ""
    return f"{listed}{more}{suggestion(asked, names)}"
