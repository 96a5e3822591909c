"""The real clock, real identifiers and real chance."""

import asyncio
import datetime
import os
import random
import struct
import threading
import time
import weakref
from collections.abc import Iterator

import attrs

from domain.values import frozen


@frozen
class SystemClock:
    """The machine's clocks. `monotonic` is CLOCK_MONOTONIC, as asyncio's and uvloop's `loop.time()` are."""

    def now(self) -> datetime.datetime:
        return datetime.datetime.now(datetime.UTC)

    def monotonic(self) -> float:
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


@attrs.define
class SystemRandomness:
    """For jitter, not for secrets. Python reseeds this generator in a forked child."""

    def fraction(self) -> float:
        return random.random()  # noqa: S311 - spreads retries out; nobody gains by guessing it


_COUNTER_BITS = 42
_COUNTER_END = 1 << _COUNTER_BITS
_BLOCK_WORDS = 1024


class UUID7Generator:
    """UUIDv7s (RFC 9562, section 5.7) that ascend within a process, threads included.

    Layout: 48 bits of Unix milliseconds, then a counter of 42 bits (method 1 of section 6.2; 12 in `rand_a`,
    30 at the top of `rand_b`) that starts at a random number below half its range in every millisecond, then
    32 random bits. Where the wall clock steps back or the counter runs out, the timestamp goes on ahead of it.
    A forked child starts from fresh random bits.
    """

    def __init__(self) -> None:
        self._restart()
        reference = weakref.ref(self)

        def restart_child() -> None:
            generator = reference()
            if generator is not None:
                generator._restart()  # noqa: SLF001 - ours

        os.register_at_fork(after_in_child=restart_child)

    def _restart(self) -> None:
        self._lock = threading.Lock()  # the old one may be held by a thread that the child does not have
        self._milliseconds = 0
        self._counter = 0
        self._tails: Iterator[int] = iter(())

    def new(self) -> str:
        milliseconds = time.time_ns() // 1_000_000
        with self._lock:
            if milliseconds > self._milliseconds:
                self._milliseconds = milliseconds
                self._counter = self._start_of_counter()
            else:
                self._counter += 1
                if self._counter >= _COUNTER_END:
                    self._milliseconds += 1
                    self._counter = self._start_of_counter()
            milliseconds, counter, tail = self._milliseconds, self._counter, self._random()
        value = (
            (milliseconds & 0xFFFFFFFFFFFF) << 80
            | (0x7000 | counter >> 30) << 64
            | 1 << 63
            | (counter & 0x3FFFFFFF) << 32
            | tail
        )
        text = f"{value:032x}"
        return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"

    def _start_of_counter(self) -> int:
        return (self._random() << 10 | self._random() >> 22) & ((_COUNTER_END >> 1) - 1)

    def _random(self) -> int:
        """32 random bits, from a block: the system call costs more than the identifier."""
        tail = next(self._tails, None)
        if tail is None:
            self._tails = iter(struct.unpack(f"{_BLOCK_WORDS}I", os.urandom(4 * _BLOCK_WORDS)))
            tail = next(self._tails)
        return tail
