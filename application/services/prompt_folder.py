"""The files of a folder of prompts in the order in which they can be imported: what is included comes first."""

from collections.abc import Container, Iterable, Mapping
from graphlib import CycleError, TopologicalSorter

from application.ports.prompt_files import BrokenFile, PromptFile
from application.services.prompt_includes import faults_at, includes
from domain.errors import InvalidRequest
from domain.prompt.reference import PromptName, PromptReference
from domain.values import frozen


@frozen(kw_only=True)
class PlannedFile:
    """A file whose syntax is sound."""

    file: PromptFile
    includes: Mapping[str, PromptReference]
    """As written, in order of first use."""

    def beside(self, names: Container[PromptName]) -> dict[str, PromptName]:
        """Its includes that mean what the folder holds now: bare names of `names`."""
        return {
            written: reference.name
            for written, reference in self.includes.items()
            if _is_bare(reference) and reference.name in names
        }

    def outside(self, names: Container[PromptName]) -> tuple[PromptReference, ...]:
        """All others, which mean what the database says."""
        return tuple(
            reference
            for reference in self.includes.values()
            if not (_is_bare(reference) and reference.name in names)
        )


@frozen(kw_only=True)
class FolderPlan:
    files: tuple[PlannedFile, ...]
    """Each behind those that it includes, otherwise by name."""
    broken: tuple[BrokenFile, ...]


def plan_folder(files: Iterable[PromptFile]) -> FolderPlan:
    """Files that include one another in a circle are broken, all of them; so are those with faults of syntax."""
    planned: dict[PromptName, PlannedFile] = {}
    broken: list[BrokenFile] = []
    for file in sorted(files, key=lambda each: each.name):
        try:
            planned[file.name] = PlannedFile(file=file, includes=includes(file.source))
        except InvalidRequest as error:
            broken.append(BrokenFile(name=file.name, path=file.path, faults=error.faults))
    while True:
        sorter = TopologicalSorter(
            {
                name: sorted({each.name for each in plan.includes.values()} & planned.keys())
                for name, plan in planned.items()
            }
        )
        try:
            order = tuple(sorter.static_order())
        except CycleError as error:
            broken.extend(_circle(planned, error.args[1]))
        else:
            return FolderPlan(files=tuple(planned[name] for name in order), broken=tuple(broken))


def _circle(planned: dict[PromptName, PlannedFile], cycle: list[PromptName]) -> list[BrokenFile]:
    """Takes the files of the circle out of `planned`.

    Args:
        cycle: each is included by the next one; the first is the last too.
    """
    path = cycle[:0:-1]
    start = path.index(min(path))
    path = path[start:] + path[:start]
    spelled = " → ".join((*path, path[0]))
    broken: list[BrokenFile] = []
    for index, name in enumerate(path):
        plan = planned.pop(name)
        following = path[(index + 1) % len(path)]
        written = next(text for text, reference in plan.includes.items() if reference.name == following)
        who = "these files include one another" if len(path) > 1 else "this file includes itself"
        message = f"{who}: {spelled}; take one of the includes out"
        faults = faults_at(plan.file.source, {written: message})
        broken.append(BrokenFile(name=name, path=plan.file.path, faults=faults))
    return broken


def _is_bare(reference: PromptReference) -> bool:
    return reference.version is None and reference.label is None
