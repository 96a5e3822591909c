"""The real clock, identifiers and chance."""

import asyncio
import datetime
import itertools
import os
import threading
import time
import uuid

import pytest

from adapters.in_memory.clock import ManualClock
from adapters.in_memory.id_generator import SequentialIds
from adapters.in_memory.randomness import FixedRandomness
from adapters.system import SystemClock, SystemRandomness, UUID7Generator
from application.ports.id_generator import IdGenerator


@pytest.mark.parametrize("ids", [UUID7Generator(), SequentialIds()])
def test_identifiers_are_uuid7_and_ascend(ids: IdGenerator) -> None:
    """In canonical form, thousands within a millisecond."""
    made = [ids.new() for _ in range(20_000)]

    assert sorted(made) == made
    assert len(set(made)) == 20_000
    for each in made[:100]:
        parsed = uuid.UUID(each)
        assert str(parsed) == each
        assert (parsed.version, parsed.variant) == (7, uuid.RFC_4122)


@pytest.mark.parametrize("ids", [UUID7Generator(), SequentialIds()])
def test_several_identifiers_ascend_after_earlier_ones(ids: IdGenerator) -> None:
    """As many as are asked for, none among them, and more than are at hand at a time."""
    made = [ids.new()]
    for number in (1, 4, 0, 1_500, 4):
        made += (several := ids.several(number))
        made.append(ids.new())
        assert len(several) == number

    assert sorted(made) == made
    assert len(set(made)) == len(made) == 1_515
    assert {(7, uuid.RFC_4122)} == {(uuid.UUID(each).version, uuid.UUID(each).variant) for each in made}


def test_the_timestamp_is_unix_milliseconds() -> None:
    """The first 48 bits."""
    before = time.time_ns() // 1_000_000
    made = uuid.UUID(UUID7Generator().new()).int >> 80

    assert before <= made <= time.time_ns() // 1_000_000 + 1


def test_identifiers_ascend_when_the_clock_steps_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fault 83: the timestamp stays where it was."""
    ids = UUID7Generator()
    first = ids.new()
    monkeypatch.setattr("time.time_ns", lambda: 1)

    assert first < ids.new()


def test_the_counter_runs_over_into_the_timestamp(monkeypatch: pytest.MonkeyPatch) -> None:
    """After a thousand million in one millisecond."""
    ids = UUID7Generator()
    ids.new()
    last = itertools.count(0xBFFFFFFF).__next__
    ids._current = (*ids._current[:2], last)
    monkeypatch.setattr("time.time_ns", lambda: 1)
    made = [ids.new() for _ in range(3)]

    assert sorted(made) == made
    assert made[0][:13] < made[1][:13] == made[2][:13]


def test_threads_get_different_identifiers() -> None:
    """And each thread ascending ones."""
    ids, made = UUID7Generator(), [[""] for _ in range(4)]

    def make(into: list[str]) -> None:
        into[:] = [each for _ in range(1_250) for each in (ids.new(), *ids.several(3))]

    threads = [threading.Thread(target=make, args=(each,)) for each in made]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len({each for one in made for each in one}) == 20_000
    assert all(sorted(one) == one for one in made)


def test_a_forked_child_makes_others() -> None:
    """Even where a thread held the lock at the fork."""
    ids = UUID7Generator()
    ids.new()
    reader, writer = os.pipe()
    with ids._lock:
        child = os.fork()
        if child == 0:
            os.write(writer, "".join(ids.new() for _ in range(50)).encode())
            os._exit(0)
    os.waitpid(child, 0)
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        text = pipe.read().decode()
    theirs = {text[at : at + 36] for at in range(0, len(text), 36)}

    assert len(theirs) == 50
    assert not theirs & {ids.new() for _ in range(50)}


async def test_clocks_move_on() -> None:
    """Aware and in UTC, and on the loop's scale."""
    clock = SystemClock()

    assert clock.now().utcoffset() == datetime.timedelta(0)
    assert abs(clock.monotonic() - asyncio.get_running_loop().time()) < 1
    before = clock.monotonic()
    await clock.sleep(0.01)
    assert clock.monotonic() - before >= 0.009


async def test_the_manual_clock_moves_only_when_told() -> None:
    """Both scales together; sleeping returns at once."""
    clock = ManualClock()
    start, began = clock.now(), clock.monotonic()
    await clock.sleep(5)
    clock.advance(2)

    assert start + datetime.timedelta(seconds=7) == clock.now()
    assert began + 7 == clock.monotonic()
    assert clock.slept == [5]


def test_chance_is_in_range_and_its_fake_is_fixed() -> None:
    """[0, 1)."""
    assert all(0 <= SystemRandomness().fraction() < 1 for _ in range(1000))
    fixed = FixedRandomness((0.1, 0.9))
    assert [fixed.fraction() for _ in range(3)] == [0.1, 0.9, 0.1]
    assert FixedRandomness().fraction() == 0.5
