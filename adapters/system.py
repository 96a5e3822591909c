"""The real clock, real identifiers and real chance."""

import asyncio
import datetime
import functools
import itertools
import os
import random
import struct
import threading
import time
import weakref
from collections.abc import Callable
from typing import Final

import attrs

from domain.values import frozen


@frozen
class SystemClock:
    """The machine's clocks. `monotonic` is CLOCK_MONOTONIC, as asyncio's and uvloop's `loop.time()` are."""

    # Both are asked for many times a chat: they are C's functions without a frame of ours around them.
    now = staticmethod(functools.partial(datetime.datetime.now, datetime.UTC))
    """Aware, in UTC."""
    monotonic = staticmethod(time.monotonic)
    """Seconds."""

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


@attrs.define
class SystemRandomness:
    """For jitter, not for secrets. Python reseeds this generator in a forked child."""

    def fraction(self) -> float:
        return random.random()  # noqa: S311 - spreads retries out; nobody gains by guessing it


_VARIANT: Final = 0x80000000
"""Where a counter's range begins: the variant's two bits are above it."""
_COUNTER_END: Final = _VARIANT + (1 << 30)
_STARTS: Final = (1 << 29) - 1
"""What a counter may start at: half of its range is for counting."""
_BLOCK_TAILS: Final = 512
_BLOCK_STARTS: Final = 256
_TAIL_BYTES: Final = 4


_Millisecond = tuple[int, str, Callable[[], int]]
"""What the identifiers of one millisecond share: its number in Unix time, the text up to the variant, and what gives
the counter's next value, never one twice, whichever threads ask."""


class UUID7Generator:
    """UUIDv7s (RFC 9562, section 5.7) that ascend within a process, threads included.

    Layout: 48 bits of Unix milliseconds, then 12 random bits (`rand_a`) that are the same for all of a millisecond,
    a counter of 30 bits (method 1 of section 6.2) that starts at a random number below half its range in every
    millisecond, then 32 random bits. Where the wall clock steps back or the counter runs out, the timestamp goes on
    ahead of it.
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
        self._current: _Millisecond = (0, "", itertools.count().__next__)
        self._tails: list[str] = []
        self._starts: list[int] = []
        self._high = (-1, "")

    def new(self) -> str:
        return self._stem() + self._tail()

    def several(self, number: int) -> list[str]:
        """They have all but their random bits in common, and ascend by these."""
        tails = self._tails
        cut = max(0, len(tails) - number)
        taken = set(tails[cut:])  # another thread may take the same: its identifiers have another counter
        del tails[cut:]
        while len(taken) < number:
            taken.add(self._tail())
        stem = self._stem()
        return [stem + tail for tail in sorted(taken)]

    def _stem(self) -> str:
        """All but the random bits at the end: another one, and a greater, each time."""
        number, head, count = self._current
        milliseconds = time.time_ns() // 1_000_000
        if milliseconds > number:
            number, head, count = self._begin(milliseconds)
        counter = count()
        while counter >= _COUNTER_END:
            number, head, count = self._begin(number + 1)
            counter = count()
        low = hex(counter)
        return f"{head}{low[2:6]}-{low[6:]}"

    def _begin(self, milliseconds: int) -> _Millisecond:
        """That millisecond, or a later one if another thread has begun it."""
        with self._lock:
            if milliseconds <= self._current[0]:
                return self._current
            high, digits = self._high
            if milliseconds >> 16 != high:  # about once a minute
                high = milliseconds >> 16
                digits = f"{high & 0xFFFFFFFF:08x}"
                self._high = (high, digits)
            if not self._starts:
                self._starts = list(struct.unpack(f"{_BLOCK_STARTS}Q", os.urandom(8 * _BLOCK_STARTS)))
            chance = self._starts.pop()
            count = itertools.count(_VARIANT | chance & _STARTS).__next__
            head = f"{digits}-{milliseconds & 0xFFFF:04x}-{0x7000 | chance >> 52:x}-"
            current = (milliseconds, head, count)
            self._current = current
            return current

    def _tail(self) -> str:
        """A last group's random digits, from a block: the system call costs more than the identifier."""
        try:
            return self._tails.pop()
        except IndexError:
            digits, step = os.urandom(_TAIL_BYTES * _BLOCK_TAILS).hex(), 2 * _TAIL_BYTES
            tails = [digits[at : at + step] for at in range(0, len(digits), step)]
            tail = tails.pop()
            self._tails = tails
            return tail
