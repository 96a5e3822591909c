"""From a version and its fragments to one flat, checked template."""

from collections.abc import Mapping

from domain.prompt.compiled import CompiledPrompt
from domain.prompt.reference import VersionRef
from domain.prompt.source import PromptSource
from domain.prompt.version import PromptVersion


def included(source: PromptSource) -> tuple[str, ...]:
    """The fragments that `source` itself names, as written, in order of first use, each once.

    Raises:
        InvalidRequest: with every fault of the templates' syntax.
    """
    raise NotImplementedError


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
    raise NotImplementedError
