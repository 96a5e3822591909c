"""`python -m bench prompts`: what the benchmark's composed prompt costs in this process, without a server.

Takes the fastest of several rounds: whatever else runs on the machine can only add to it.
"""

import datetime
import tempfile
import timeit
from collections.abc import Callable
from pathlib import Path
from typing import Final

import yaml

from bench import composed
from bench.report import Target
from domain.ids import DEFAULT_TENANT
from domain.prompt.compiled import CompiledPrompt
from domain.prompt.compiler import compile_prompt, included
from domain.prompt.content_hash import content_hash
from domain.prompt.document import read_source
from domain.prompt.reference import PromptName, VersionRef
from domain.prompt.source import PromptSource, Turn
from domain.prompt.version import Pin, PromptVersion

_ROUNDS: Final = 7


def targets() -> tuple[Target, ...]:
    """Measured now, against the figures of the Prompt Oven."""
    version, library = versions()
    prompt = compile_prompt(version, library)
    _check(prompt)
    return (
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
