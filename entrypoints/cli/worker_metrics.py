"""The metrics of all workers of a port in the answer of whichever is asked."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Final

from domain.values import frozen
from entrypoints.cli.output import say

_PATIENCE_S: Final = 1.0
"""A worker that is this late is shown as down in this scrape; Prometheus itself waits for ten."""
_END: Final = b"# EOF\n"
"""Tells a whole answer from one that was cut."""


@frozen(kw_only=True)
class WorkerMetrics:
    """Gives the siblings this worker's metrics, over a Unix socket in `folder`, and asks for theirs."""

    folder: Path
    """Made by the supervisor for its workers alone."""
    slot: int
    """This worker's number, from 0; the one that replaces it has the same."""
    workers: int
    own: Callable[[], bytes]
    """The text exposition of this process."""

    @asynccontextmanager
    async def shared(self) -> AsyncIterator[None]:
        """While open, siblings are answered. Where the socket can't be had, they show this worker as down."""
        path = self._socket(self.slot)
        path.unlink(missing_ok=True)  # of one that was killed
        try:
            server = await asyncio.start_unix_server(self._answer, path)
        except OSError as error:
            say(f"the metrics of worker {self.slot} can't be shared: {error.strerror or error}")
            yield
            return
        try:
            yield
        finally:
            server.close()
            path.unlink(missing_ok=True)

    async def scrape(self) -> bytes:
        """The metrics of all workers, each series with its `worker`. Never raises."""
        siblings = [slot for slot in range(self.workers) if slot != self.slot]
        answers = await asyncio.gather(*(self._ask(slot) for slot in siblings))
        return merge({self.slot: self.own(), **dict(zip(siblings, answers, strict=True))})

    def _socket(self, slot: int) -> Path:
        return self.folder / f"{slot}.sock"

    async def _answer(self, _: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):  # who asked may have given up
            writer.write(self.own() + _END)
            await writer.drain()
        writer.close()

    async def _ask(self, slot: int) -> bytes | None:
        try:
            async with asyncio.timeout(_PATIENCE_S):
                reader, writer = await asyncio.open_unix_connection(self._socket(slot))
                try:
                    text = await reader.read()
                finally:
                    writer.close()
        except OSError:  # TimeoutError is one
            return None
        return text.removesuffix(_END) if text.endswith(_END) else None


def merge(expositions: Mapping[int, bytes | None]) -> bytes:
    """One exposition of several workers', by slot; None is a worker that did not answer.

    A series keeps its own counter, told apart by the label `worker`: a sum would fall when a worker starts
    anew, and Prometheus would take the fall for a reset of all of them.
    """
    heads: dict[str, list[str]] = {}
    samples: dict[str, list[str]] = {}
    for slot, exposition in sorted(expositions.items()):
        family = ""
        for line in (exposition or b"").decode().splitlines():
            if line.startswith("# "):
                family = line.split(" ", 3)[2]
                head = heads.setdefault(family, [])
                if line not in head:
                    head.append(line)
            elif line:
                samples.setdefault(family, []).append(_labelled(line, slot))
    lines = [
        "# HELP lor3_worker_up Whether a worker gave its metrics to this scrape.",
        "# TYPE lor3_worker_up gauge",
        *(
            f'lor3_worker_up{{worker="{slot}"}} {int(text is not None)}'
            for slot, text in sorted(expositions.items())
        ),
    ]
    for family, head in heads.items():
        lines += [*head, *samples.get(family, ())]
    return ("\n".join(lines) + "\n").encode()


def _labelled(sample: str, slot: int) -> str:
    """`sample`, such as `name{a="b"} 1` or `name 1`, with the label `worker` before its own."""
    name, space, value = sample.partition(" ")
    bare, brace, _ = name.partition("{")
    if brace:
        return f'{bare}{{worker="{slot}",{sample[len(bare) + 1 :]}'
    return f'{name}{{worker="{slot}"}}{space}{value}'
