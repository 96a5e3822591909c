"""From a version and its fragments to one flat, checked template."""

from collections.abc import Mapping

from domain.errors import Fault, InvalidRequest
from domain.prompt.compiled import CompiledPrompt
from domain.prompt.flattening import Flattening
from domain.prompt.nodes import Include
from domain.prompt.reference import VersionRef
from domain.prompt.source import PromptSource
from domain.prompt.template import parse
from domain.prompt.template_fault import MAX_FAULTS, places
from domain.prompt.version import PromptVersion


def included(source: PromptSource) -> tuple[str, ...]:
    """The fragments that `source` itself names, as written, in order of first use, each once.

    Raises:
        InvalidRequest: with every fault of the templates' syntax.
    """
    found: dict[str, None] = {}
    faults: list[Fault] = []
    for place in places(source, ""):
        template = parse(place.text)
        faults.extend(place.fault(at, message) for at, message in template.faults)
        found.update((node.written, None) for node in template.nodes if isinstance(node, Include))
    if faults:
        raise InvalidRequest.of(*faults[:MAX_FAULTS])
    return tuple(found)


def compile_prompt(
    version: PromptVersion, library: Mapping[VersionRef, PromptVersion], *, path: str = ""
) -> CompiledPrompt:
    """Pure and deterministic.

    Args:
        library: every version that `version` pins, and that those pin, and so on.
        path: put in front of the paths of faults.

    Raises:
        InvalidRequest: with every fault: syntax, undeclared variables, unfit parameters, cycles by name, depth.
    """
    return Flattening(version=version, library=library).compile(path)
