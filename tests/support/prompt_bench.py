"""The use cases of prompts on one store, and short forms for what they take."""

from collections.abc import Mapping
from typing import Any

import attrs

from adapters.in_memory.clock import ManualClock
from adapters.in_memory.prompt_cache import LocalPromptCache
from adapters.in_memory.store import InMemoryStore
from application.ports.prompt_files import BrokenFile, FolderReading, PromptFile
from application.ports.store import Store, StoreConfig
from application.services.prompt_oven import PromptOven
from application.services.prompt_writing import PromptWriting
from application.use_cases.delete_prompt_version import DeletePromptVersion, DeletePromptVersionCommand
from application.use_cases.import_prompt_files import ImportPromptFiles
from application.use_cases.label_prompt import LabelledPrompt, LabelPrompt, LabelPromptCommand
from application.use_cases.read_prompts import ReadPrompts
from application.use_cases.render_prompt import RenderPrompt
from application.use_cases.version_prompt import VersionedPrompt, VersionPrompt, VersionPromptCommand
from domain.ids import DEFAULT_TENANT
from domain.prompt.reference import PromptName, VersionRef
from domain.prompt.source import Origin, PromptSource, Turn, Variable, VariableType
from domain.prompt.version import Prompt
from tests.support.records import store_config


def system(template: str, **variables: VariableType) -> PromptSource:
    """A system text with these variables, all required."""
    return PromptSource(turns=(Turn(role="system", template=template),), variables=_declared(variables))


def chat(*templates: str, **variables: VariableType) -> PromptSource:
    """A chat template: the first is the system turn, the others are the user's."""
    turns = tuple(
        Turn(role="user" if index else "system", template=template)
        for index, template in enumerate(templates)
    )
    return PromptSource(turns=turns, is_chat=True, variables=_declared(variables))


def patient(url: str) -> StoreConfig:
    """For tests in which many wait for one lock, on a machine that may be busy otherwise."""
    return store_config(url, acquire_timeout_s=60.0, statement_timeout_s=60.0)


def ref(text: str) -> VersionRef:
    """`tone:v2`"""
    name, _, number = text.partition(":v")
    return VersionRef(PromptName(name), int(number))


def _declared(variables: Mapping[str, VariableType]) -> tuple[Variable, ...]:
    return tuple(Variable(name=name, type=type_) for name, type_ in variables.items())


@attrs.define
class FilesInMemory:
    """A `PromptFiles` without a disk: name → text of a file `config/prompts/<name>.yaml`."""

    texts: dict[str, str] = attrs.field(factory=dict)
    broken: tuple[BrokenFile, ...] = ()
    variables: tuple[Variable, ...] = ()
    """Of every file."""

    async def read(self) -> FolderReading:
        files = tuple(
            PromptFile(name=PromptName(name), path=path_of(name), source=self._source(name, text))
            for name, text in sorted(self.texts.items())
        )
        return FolderReading(files=files, broken=self.broken)

    async def write(self, name: PromptName, source: PromptSource) -> str:
        self.texts[name] = source.turns[0].template
        return path_of(name)

    async def fingerprint(self) -> str:
        return repr(sorted(self.texts.items()))

    def _source(self, name: str, text: str) -> PromptSource:
        origin = Origin(file=path_of(name), line=2, column=3)
        turn = Turn(role="system", template=text, origin=origin)
        return PromptSource(turns=(turn,), variables=self.variables)


def path_of(name: str) -> str:
    return f"config/prompts/{name}.yaml"


@attrs.define
class PromptBench:
    """Everything of one replica."""

    store: Store = attrs.field(factory=InMemoryStore)
    clock: ManualClock = attrs.field(factory=ManualClock)
    files: FilesInMemory = attrs.field(factory=FilesInMemory)
    cache: LocalPromptCache = attrs.field(factory=LocalPromptCache)
    oven: PromptOven = attrs.field(init=False)
    writing: PromptWriting = attrs.field(init=False)
    version: VersionPrompt = attrs.field(init=False)
    label: LabelPrompt = attrs.field(init=False)
    delete: DeletePromptVersion = attrs.field(init=False)
    read: ReadPrompts = attrs.field(init=False)
    render: RenderPrompt = attrs.field(init=False)
    import_files: ImportPromptFiles = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        unit_of_work, clock = self.store.unit_of_work, self.clock
        self.oven = oven = PromptOven(unit_of_work=unit_of_work, cache=self.cache, clock=clock)
        self.writing = writing = PromptWriting(clock=clock)
        self.version = VersionPrompt(unit_of_work=unit_of_work, writing=writing, oven=oven)
        self.label = LabelPrompt(unit_of_work=unit_of_work, oven=oven, clock=clock)
        self.delete = DeletePromptVersion(unit_of_work=unit_of_work, oven=oven, clock=clock)
        self.read = ReadPrompts(unit_of_work=unit_of_work)
        self.render = RenderPrompt(unit_of_work=unit_of_work, writing=writing, oven=oven)
        self.import_files = ImportPromptFiles(
            files=self.files, unit_of_work=unit_of_work, writing=writing, oven=oven, clock=clock
        )

    async def make(self, name: str, source: PromptSource | str, **fields: Any) -> VersionedPrompt:
        """A new version, by way of the API."""
        if isinstance(source, str):
            source = system(source)
        return await self.version.execute(
            VersionPromptCommand(name=PromptName(name), source=source, made_by="api", **fields)
        )

    async def move(self, name: str, label: str, *versions: int, **fields: Any) -> LabelledPrompt:
        """Points a label at one version; at several, with equal weight."""
        weights = tuple((number, 1) for number in versions)
        return await self.label.execute(
            LabelPromptCommand(name=PromptName(name), label=label, weights=weights, **fields)
        )

    async def drop(self, text: str, **fields: Any) -> None:
        await self.delete.execute(DeletePromptVersionCommand(ref=ref(text), **fields))

    async def head(self, name: str) -> Prompt:
        async with self.store.unit_of_work(DEFAULT_TENANT) as work:
            prompt = await work.prompts.get(PromptName(name))
        assert prompt is not None

        return prompt

    async def use(self, *texts: str) -> None:
        """As chats do."""
        async with self.store.unit_of_work(DEFAULT_TENANT) as work:
            await work.prompts.mark_used(tuple(ref(text) for text in texts), at=self.clock.now())
            await work.commit()
