"""From a version and its fragments to one flat, checked template."""

import datetime
from collections.abc import Mapping

from domain.errors import Fault, InvalidRequest
from domain.ids import DEFAULT_TENANT
from domain.prompt.compiled import CompiledPrompt
from domain.prompt.flattening import Flattening
from domain.prompt.nodes import Include
from domain.prompt.reference import PromptName, VersionRef
from domain.prompt.source import PromptSource
from domain.prompt.template import BLANK, is_blank, parse
from domain.prompt.template_fault import MAX_FAULTS, places
from domain.prompt.version import PromptVersion


def included(source: PromptSource) -> tuple[str, ...]:
    """The fragments that `source` itself names, as written, in order of first use, each once.

    Raises:
        InvalidRequest: with every fault of the templates' syntax; an empty one is one.
    """
    found: dict[str, None] = {}
    faults: list[Fault] = []
    for place in places(source, ""):
        if is_blank(place.text):
            faults.append(Fault(path=place.path, message=BLANK))
        template = parse(place.text)
        faults.extend(place.fault(at, message) for at, message in template.faults)
        found.update((node.written, None) for node in template.nodes if isinstance(node, Include))
    if faults:
        raise InvalidRequest.of(*faults[:MAX_FAULTS])
    return tuple(found)


def faults_of_its_own(name: PromptName, source: PromptSource, absent: Mapping[str, str]) -> tuple[Fault, ...]:
    """Faults of a prompt whose fragments can't all be had, in the order of its text: what is in `absent`, and what is
    wrong with its own templates, whatever the fragments hold.

    Args:
        absent: what is wrong with a fragment, by what is written. All others count as fit, and are not looked at.
    """
    version = PromptVersion(  # of which only the name and the source are looked at
        tenant=DEFAULT_TENANT,
        name=name,
        number=1,
        hash="",
        source=source,
        made_by="api",
        created_at=datetime.datetime.min.replace(tzinfo=datetime.UTC),
    )
    return Flattening(version=version, library={}, absent=absent).faults("")


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
