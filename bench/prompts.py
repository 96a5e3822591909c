"""`python -m bench prompts`: what the benchmark's composed prompt costs in this process, without a server.

Takes the fastest of several rounds: whatever else runs on the machine can only add to it.
"""

import asyncio
import datetime
import tempfile
import time
import timeit
from collections.abc import Callable
from pathlib import Path
from typing import Final

import yaml

from adapters.in_memory.prompt_cache import LocalPromptCache
from adapters.in_memory.store import InMemoryStore
from adapters.system import SystemClock
from application.services.prompt_choice import PromptChoice
from application.services.prompt_oven import PromptOven
from bench import composed
from bench.report import Target
from domain.ids import DEFAULT_TENANT
from domain.prompt.compiled import CompiledPrompt
from domain.prompt.compiler import compile_prompt, included
from domain.prompt.content_hash import content_hash
from domain.prompt.document import read_source
from domain.prompt.reference import PromptName, VersionRef
from domain.prompt.source import PromptSource, Turn
from domain.prompt.version import Pin, Prompt, PromptVersion

_ROUNDS: Final = 7


def targets() -> tuple[Target, ...]:
    """Measured now, against the figures of the Prompt Oven."""
    version, library = versions()
    prompt = compile_prompt(version, library)
    _check(prompt)
    return (
        Target(
            name="choose its version and render it, from the warm oven",
            value=asyncio.run(_baked_us(version, library)),
            bound=40,
            sense="at most",
            unit="µs",
        ),
        Target(
            name=f"render the prompt of {len(prompt.text)} characters, warm",
            value=_fastest_us(lambda: prompt.render(composed.VARIABLES)),
            bound=15,
            sense="at most",
            unit="µs",
        ),
        Target(
            name="compile it with its three fragments",
            value=_fastest_us(lambda: compile_prompt(version, library)),
            bound=2000,
            sense="at most",
            unit="µs",
        ),
    )


def versions() -> tuple[PromptVersion, dict[VersionRef, PromptVersion]]:
    """The composed prompt, and the versions that it pins."""
    with tempfile.TemporaryDirectory(prefix="lor3-bench-") as folder:
        composed.write(Path(folder))
        sources = {path.stem: _source(path) for path in sorted(Path(folder).iterdir())}
    main = sources.pop(composed.NAME)
    library = {name: _version(name, source, {}) for name, source in sources.items()}
    return _version(composed.NAME, main, library), {each.ref: each for each in library.values()}


def _source(path: Path) -> PromptSource:
    if path.suffix == ".yaml":
        return read_source(yaml.safe_load(path.read_text()))
    return PromptSource(turns=(Turn(role="system", template=path.read_text()),), declares=False)


def _version(name: str, source: PromptSource, library: dict[str, PromptVersion]) -> PromptVersion:
    pins = tuple(
        Pin(written=each, ref=library[each].ref, hash=library[each].hash) for each in included(source)
    )
    return PromptVersion(
        tenant=DEFAULT_TENANT,
        name=PromptName(name),
        number=1,
        hash=content_hash(source, pins),
        source=source,
        pins=pins,
        made_by="file",
        created_at=datetime.datetime(2026, 11, 1, tzinfo=datetime.UTC),
    )


async def _baked_us(version: PromptVersion, library: dict[VersionRef, PromptVersion]) -> float:
    """What a chat does: the reference is read, the version chosen, the variables checked and filled in."""
    store = InMemoryStore()
    async with store.unit_of_work(DEFAULT_TENANT) as work:
        for each in (*library.values(), version):
            await work.prompts.lock(each.name)
            await work.prompts.add_version(each)
            await work.prompts.put(
                Prompt(
                    tenant=each.tenant,
                    name=each.name,
                    latest=1,
                    next_number=2,
                    created_at=each.created_at,
                    updated_at=each.created_at,
                )
            )
        await work.commit()
    oven = PromptOven(unit_of_work=store.unit_of_work, cache=LocalPromptCache(), clock=SystemClock())
    choice = PromptChoice(oven=oven, default=None, variables={})

    async def rounds(count: int) -> float:
        started = time.perf_counter()
        for _ in range(count):
            await choice.render(
                composed.NAME, composed.VARIABLES, tenant=DEFAULT_TENANT, key="thread", use=True
            )
        return (time.perf_counter() - started) / count * 1e6

    await rounds(1)
    return min([await rounds(2_000) for _ in range(_ROUNDS)])


def _check(prompt: CompiledPrompt) -> None:
    """What is measured is the work that was meant."""
    text = prompt.render(composed.VARIABLES).system
    assert text is not None
    assert 1700 < len(text) < 3000, len(text)
    assert (len(prompt.fragments), len(prompt.variables)) == (3, 5)


def _fastest_us(call: Callable[[], object]) -> float:
    timer = timeit.Timer(call)
    count, _ = timer.autorange()
    return min(timer.repeat(repeat=_ROUNDS, number=count)) / count * 1e6
