"""Rendering what a converter made, to see that it means what the other tool meant."""

import datetime
from typing import Any

from domain.ids import DEFAULT_TENANT
from domain.prompt.compiled import CompiledPrompt, RenderedPrompt
from domain.prompt.compiler import compile_prompt, included
from domain.prompt.formats.dotprompt import read_dotprompt
from domain.prompt.formats.imported import ImportedPrompt
from domain.prompt.reference import PromptName, PromptReference, VersionRef
from domain.prompt.source import PromptSource, Turn
from domain.prompt.version import Pin, PromptVersion

NOW = datetime.datetime(2026, 11, 23, tzinfo=datetime.UTC)


def compiled(source: PromptSource, **fragments: str) -> CompiledPrompt:
    """`source` compiled; each fragment that it names and that is not given is an empty text."""
    library = {}
    pins = []
    for written in included(source):
        name = PromptReference.parse(written).name
        version = _version(
            name,
            PromptSource(turns=(Turn(role="system", template=fragments.get(name, "")),), declares=False),
        )
        library[version.ref] = version
        pins.append(Pin(written=written, ref=version.ref, hash=version.hash))
    return compile_prompt(_version(PromptName("imported"), source, pins=tuple(pins)), library)


def rendered(prompt: ImportedPrompt, **variables: Any) -> RenderedPrompt:
    return compiled(prompt.source).render(variables)


def dotprompt(body: str, **front: Any) -> ImportedPrompt:
    return read_dotprompt(front, body)


def text_of(prompt: ImportedPrompt, **variables: Any) -> str:
    """Of a prompt that is one turn of the user."""
    turn = rendered(prompt, **variables).turns[0]
    return "".join(getattr(part, "text", "") for part in turn.parts)


def _version(name: PromptName, source: PromptSource, pins: tuple[Pin, ...] = ()) -> PromptVersion:
    return PromptVersion(
        tenant=DEFAULT_TENANT,
        name=name,
        number=1,
        hash=f"hash-{name}",
        source=source,
        pins=pins,
        made_by="import",
        created_at=NOW,
    )


REF = VersionRef(PromptName("imported"), 1)
