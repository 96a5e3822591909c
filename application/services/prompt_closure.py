"""All that a version is made of: the fragments it pins, those that they pin, and so on."""

from typing import Final

from application.ports.unit_of_work import UnitOfWork
from domain.errors import Fault, InvalidRequest, NotFound
from domain.prompt.reference import VersionRef
from domain.prompt.version import PromptVersion

MAX_LEVELS: Final = 16
"""More than the compiler lets anybody compose, so that it is the compiler that says what is too deep."""
MAX_FRAGMENTS: Final = 2_000
"""Of one prompt, all levels together."""


async def load_closure(work: UnitOfWork, *versions: PromptVersion) -> dict[VersionRef, PromptVersion]:
    """Every version that `versions` pin, directly or through others: a round trip for each level.

    Raises:
        InvalidRequest: there are more than `MAX_FRAGMENTS`.
        NotFound: a pinned version is gone.
    """
    library: dict[VersionRef, PromptVersion] = {}
    level = versions
    for _ in range(MAX_LEVELS):
        wanted = tuple(
            dict.fromkeys(pin.ref for version in level for pin in version.pins if pin.ref not in library)
        )
        if not wanted:
            break
        if len(library) + len(wanted) > MAX_FRAGMENTS:
            raise InvalidRequest.of(
                Fault(path="", message=f"includes more than {MAX_FRAGMENTS:,} fragments; join some of them")
            )
        level = await work.prompts.find(wanted)
        library.update((version.ref, version) for version in level)
        missing = [str(ref) for ref in wanted if ref not in library]
        if missing:
            names = ", ".join(missing)
            raise NotFound(f"the prompt is made of {names}, which is gone; make a new version of the prompt")
    return library
