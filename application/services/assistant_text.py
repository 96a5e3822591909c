"""A prompt as an assistant's instructions, and instructions as a prompt.

Instructions are plain text. A prompt without variables is sent as it renders; one with variables as its flat
template, fragments in place and `{{name}}` for whoever fills them in, and what comes back is read as one.
"""

import datetime
import hashlib
from typing import Final

import attrs

from domain.errors import Fault, InvalidRequest
from domain.ids import DEFAULT_TENANT
from domain.prompt.compiled import CompiledPrompt
from domain.prompt.compiler import compile_prompt, included
from domain.prompt.formats.assistant import assistant_source
from domain.prompt.source import PromptSource, Turn
from domain.prompt.version import PromptVersion

MAX_INSTRUCTIONS: Final = 256_000
"""Characters, as the Assistants API has it."""
_NO_TIME: Final = datetime.datetime(2000, 1, 1, tzinfo=datetime.UTC)


def instructions_of(compiled: CompiledPrompt) -> str:
    """
    Raises:
        InvalidRequest: the prompt can be no assistant.
    """
    if compiled.is_chat:
        raise InvalidRequest.of(
            Fault(
                path="name",
                message=f"{compiled.ref} is a chat template, and an assistant has one text of instructions; "
                "sync a prompt that has a `template`",
            )
        )
    text = _plain(compiled) if is_plain(compiled) else compiled.text
    if not text.strip():
        raise InvalidRequest.of(
            Fault(path="name", message=f"{compiled.ref} is empty, and an assistant's instructions can't be")
        )
    if len(text) > MAX_INSTRUCTIONS:
        raise InvalidRequest.of(
            Fault(
                path="name",
                message=f"{compiled.ref} has {len(text):,} characters; an assistant's instructions have at most "
                f"{MAX_INSTRUCTIONS:,}",
            )
        )
    return text


def is_plain(compiled: CompiledPrompt) -> bool:
    """Whether it always renders the same."""
    return all(isinstance(operation, str) for turn in compiled.turns for operation in turn.program)


def text_hash(text: str) -> str:
    """SHA-256 in hex of a text, line ends and what surrounds it aside: servers trim."""
    return hashlib.sha256(_trimmed(text).encode("utf-8", "surrogatepass")).hexdigest()


def remote_hashes(instructions: str, beside: CompiledPrompt) -> frozenset[str]:
    """All hashes that say "these very instructions": as they are, and as the flat text they compile to.

    Args:
        beside: the prompt that they are compared with, whose variables they may use.
    """
    found = {text_hash(instructions)}
    if not is_plain(beside):
        source = PromptSource(
            turns=(Turn(role="system", template=instructions),), variables=beside.variables, declares=False
        )
        try:
            if not included(source):
                version = PromptVersion(
                    tenant=DEFAULT_TENANT,
                    name=beside.ref.name,
                    number=beside.ref.number,
                    hash="",
                    source=source,
                    made_by="import",
                    created_at=_NO_TIME,
                )
                found.add(text_hash(compile_prompt(version, {}).text))
        except InvalidRequest:
            # No template of lor3's any more: then it is a changed text, which pulling it will say more of.
            return frozenset(found)
    return frozenset(found)


def source_with(instructions: str, newest: PromptVersion, compiled: CompiledPrompt) -> PromptSource:
    """The source of the version that takes `instructions` in: a template where `newest` is one, else plain text.

    Composed of fragments or not, it is one text now; what its fragments declared, it declares itself.
    """
    before = newest.source
    if is_plain(compiled):
        plain = assistant_source(instructions, description=before.description, variables=False)
        return attrs.evolve(before, turns=plain.turns)
    variables = compiled.variables if newest.pins else before.variables
    turn = Turn(role="system", template=_trimmed(instructions))
    return attrs.evolve(before, turns=(turn,), variables=variables)


def _plain(compiled: CompiledPrompt) -> str:
    # Not rendered: a variable that is declared and never used would be asked for.
    return "".join(str(operation) for turn in compiled.turns for operation in turn.program)


def _trimmed(text: str) -> str:
    return text.replace("\r\n", "\n").strip()
