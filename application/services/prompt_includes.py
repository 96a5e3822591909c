"""What a prompt includes: which prompts it names, and which versions of them that means now."""

import asyncio
from collections.abc import Collection, Mapping
from typing import Final

from application.ports.unit_of_work import UnitOfWork
from application.services.prompt_lookup import (
    known_names,
    no_label,
    no_prompt_among,
    no_version,
)
from domain.errors import Fault, InvalidRequest
from domain.prompt.compiler import faults_of_its_own, included
from domain.prompt.nodes import Include
from domain.prompt.reference import PromptName, PromptReference, VersionRef
from domain.prompt.rollout import heaviest_version
from domain.prompt.source import PromptSource
from domain.prompt.template import parse
from domain.prompt.template_fault import MAX_FAULTS, places
from domain.prompt.version import Pin, Prompt, VersionOutline

MAX_INCLUDES: Final = 200
"""Of one prompt, not counting those that its fragments include."""
SHORT_SOURCE: Final = 4_000
"""Characters of templates that are read before anybody could notice; longer ones go to a thread."""


def includes(source: PromptSource) -> dict[str, PromptReference]:
    """The fragments that `source` names, as written, in order of first use.

    Raises:
        InvalidRequest: with every fault of the templates' syntax, or there are more than `MAX_INCLUDES`.
    """
    named = {written: PromptReference.parse(written, path="") for written in included(source)}
    if len(named) > MAX_INCLUDES:
        message = f"includes {len(named):,} fragments, and {MAX_INCLUDES} is the most; join some of them"
        raise InvalidRequest.of(Fault(path="", message=message))
    return named


async def read_includes(source: PromptSource) -> dict[str, PromptReference]:
    """The same, without holding up others."""
    if length(source) <= SHORT_SOURCE:
        return includes(source)
    return await asyncio.to_thread(includes, source)


async def resolve_includes(
    work: UnitOfWork,
    own: PromptName,
    source: PromptSource,
    *,
    named: Mapping[str, PromptReference],
    pinned: Mapping[str, VersionRef],
    beside: Collection[PromptName],
    apart: Collection[PromptName],
    also: VersionRef | None,
) -> tuple[tuple[Pin, ...], VersionOutline | None]:
    """A pin for each include, and the version `also`, all in one read.

    Args:
        own: the name of the prompt that `source` is for.
        named: the fragments that `source` names, by what is written.
        pinned: for includes, as written, that mean another version than the store says.
        beside: names that an unknown one may have been meant to be, besides those in the store.
        apart: names that it can't have been meant to be, though the store may have them.

    Raises:
        InvalidRequest: of syntax, else naming every include that means nothing or the prompt itself, and what is
            wrong in the templates of `source` itself.
    """
    wrong: dict[str, str] = {}
    heads: dict[PromptName, Prompt | None] = {}
    refs: dict[str, VersionRef] = {}
    known: list[PromptName] | None = None
    for written, reference in named.items():
        name = reference.name
        if len(wrong) >= MAX_FAULTS:
            break
        if name == own:
            wrong[written] = f"a prompt can't include itself: {name} → {name}; include another one"
            continue
        if written in pinned:
            refs[written] = pinned[written]
            continue
        if name not in heads:
            heads[name] = await work.prompts.get(name)
        head = heads[name]
        if head is None:
            if known is None:
                known = sorted({*beside, *await known_names(work)} - {own, *apart})
            wrong[written] = no_prompt_among(name, known)
            continue
        number = heaviest_version(head, reference)
        if number is None:
            wrong[written] = no_label(head, str(reference.label))
        else:
            refs[written] = VersionRef(name, number)
    wanted = {*refs.values()} if also is None else {*refs.values(), also}
    found = {each.ref: each for each in await work.prompts.outlines(tuple(wanted))} if wanted else {}
    for written, ref in refs.items():
        if ref not in found:
            head = heads.get(ref.name)
            wrong[written] = f"there is no {ref} any more" if head is None else no_version(head, ref.number)
    if wrong:
        raise InvalidRequest.of(*await _all_faults(own, source, wrong))
    pins = tuple(Pin(written=written, ref=ref, hash=found[ref].hash) for written, ref in refs.items())
    return pins, None if also is None else found.get(also)


async def _all_faults(own: PromptName, source: PromptSource, wrong: Mapping[str, str]) -> tuple[Fault, ...]:
    """Of the includes, by what is written, and of all else in the text: its author mends both in one go."""
    if length(source) <= SHORT_SOURCE:
        return faults_of_its_own(own, source, wrong)
    return await asyncio.to_thread(faults_of_its_own, own, source, wrong)


def faults_at(source: PromptSource, wrong: Mapping[str, str]) -> tuple[Fault, ...]:
    """Faults of includes, each where `source` first has it: with line, column and the line itself.

    Args:
        wrong: what is wrong, by the include as written.
    """
    left = dict(wrong)
    faults: list[Fault] = []
    for place in places(source, ""):
        faults += [
            place.fault(node.at, left.pop(node.written))
            for node in parse(place.text).nodes
            if isinstance(node, Include) and node.written in left
        ]
    return (*faults, *(Fault(path="", message=message) for message in left.values()))


def length(*sources: PromptSource) -> int:
    """Of the templates, in characters."""
    return sum(len(turn.template) for source in sources for turn in source.turns)
