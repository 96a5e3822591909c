"""The benchmark's harness works, at a size that says nothing about speed."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from bench import seeding, servers
from bench.__main__ import main
from bench.load import Load, body_of, put
from bench.payloads import ANSWER, answer_in, request, streamed_answer, whole_answer
from bench.play import Plan
from bench.processes import BenchFailure, cores
from bench.report import Target
from bench.stream_load import StreamLoad
from bench.stream_load import put as put_streams
from bench.stream_scenarios import stream_scenarios

SMALL = ["--seconds", "0.3", "--rounds", "1"]
CLASSIC = [
    flag for name in ("throughput", "prompt", "latency", "stream", "start") for flag in ("--only", name)
]


@pytest.fixture(name="upstream")
def _upstream(tmp_path: Path) -> Iterator[servers.Server]:
    with servers.upstream(core=cores()[1], folder=tmp_path) as server:
        yield server


def load_on(server: servers.Server, **changes: object) -> Load:
    return Load(
        **{  # type: ignore[arg-type]  # the defaults of these tests, any of which a test may change
            "port": server.port,
            "dialect": server.dialect,
            "stream": False,
            "connections": 2,
            "seconds": 0.2,
            "warm_up_s": 0.05,
            "gateway_pid": server.pid,
            "gateway_core": cores()[0],
            "other_core": cores()[1],
            **changes,
        }
    )


def test_whole_answer_holds_the_text() -> None:
    """The upstream's answer is readable as a client reads it."""
    assert answer_in("openai", body_of(whole_answer()), stream=False) == ANSWER


def test_streamed_answer_holds_the_text() -> None:
    """The stream's chunks add up to the same text."""
    assert answer_in("openai", body_of(streamed_answer()), stream=True) == ANSWER


def test_native_stream_is_read_up_to_done() -> None:
    """Deltas of lor3's own stream add up; the frames around them do not count."""
    body = b'id: 1\nevent: start\ndata: {}\n\nid: 2\nevent: delta\ndata: {"text": "a"}\n\nid: 3\nevent: done\ndata: {}\n\n'

    assert answer_in("lor3", body, stream=True) == "a"


def test_stream_without_an_end_is_refused() -> None:
    """A stream that stops early is no answer."""
    body = b'event: delta\ndata: {"text": "a"}\n\n'

    with pytest.raises(ValueError, match="without its last event"):
        answer_in("lor3", body, stream=True)


@pytest.mark.parametrize("stream", [False, True])
def test_load_counts_answers(upstream: servers.Server, stream: bool) -> None:
    """Every 200 is counted and its latency is within the time measured."""
    measured = put(load_on(upstream, stream=stream), core=cores()[0])

    assert measured.answers > 0
    assert 0 < measured.p50_ms <= measured.p99_ms < 10_000


def streams_on(server: servers.Server, plan: Plan, **changes: object) -> StreamLoad:
    return StreamLoad(
        **{  # type: ignore[arg-type]  # as above
            "port": server.port,
            "dialect": server.dialect,
            "plan": plan,
            "streams": 3,
            "ramp_s": 0.05,
            "seconds": 0.3,
            "upstream_port": server.port,
            "gateway_pid": server.pid,
            "gateway_core": cores()[0],
            "other_core": cores()[1],
            **changes,
        }
    )


@pytest.mark.parametrize("plan", [Plan(pieces=7), Plan(pieces=7, characters=40, every_us=500, held=True)])
def test_plan_is_found_in_the_request(plan: Plan) -> None:
    """The prompt carries it through any gateway."""
    assert Plan.found_in(request("openai", stream=True, port=1, ask=plan.asked())) == plan


def test_paced_streams_come_on_time(upstream: servers.Server) -> None:
    """Each piece says when it was due, and none is counted before that."""
    measured = put_streams(streams_on(upstream, Plan(pieces=10, every_us=10_000)), core=cores()[0])

    assert measured.answers >= 3
    assert 0 < measured.first_byte_ms < 10_000
    assert 0 <= measured.late_p50_ms <= measured.late_p99_ms <= measured.worst_stream_ms < 10_000


@pytest.mark.parametrize("stops_reading", [False, True])
def test_held_streams_end_when_they_are_let_go(upstream: servers.Server, stops_reading: bool) -> None:
    """The same streams, read or not, come whole in the end; those before them, for warmth, count as answers."""
    plan = Plan(pieces=300, characters=1024, held=True)
    measured = put_streams(streams_on(upstream, plan, stops_reading=stops_reading), core=cores()[0])

    assert measured.answers == 6


def test_streams_fail_on_another_status(upstream: servers.Server) -> None:
    """As with answers that are not streamed."""
    with pytest.raises(BenchFailure, match="status 404"):
        put_streams(streams_on(upstream, Plan(pieces=2), dialect="lor3"), core=cores()[0])


def test_share_leaves_some_of_the_streams() -> None:
    """Fewer streams for a smaller machine, at the same pace."""
    small, whole = stream_scenarios(0.01), stream_scenarios(1)

    assert [each.plan for each in small] == [each.plan for each in whole]
    assert [each.streams for each in whole] == [40, 1000, 2000, 20, 20]
    assert [each.streams for each in small] == [2, 10, 20, 2, 2]


def test_load_fails_on_another_status(upstream: servers.Server) -> None:
    """A server that refuses is never a fast server: the upstream knows no `POST /chat`."""
    with pytest.raises(BenchFailure, match="status 404"):
        put(load_on(upstream, dialect="lor3"), core=cores()[0])


def test_server_that_does_not_start_is_named_with_its_log(tmp_path: Path) -> None:
    """The end of the log says why."""
    absent = servers.started(
        "absent", "openai", ["-m", "bench.absent"], port=9, core=cores()[0], folder=tmp_path
    )

    with pytest.raises(BenchFailure, match=r"(?s)ended with 1.*No module named bench\.absent"), absent:
        pass


def test_yardsticks_are_measured_and_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Both loops of the bare proxy, every scenario, as a table and as JSON."""
    status = main([*SMALL, *CLASSIC, "--gateway", "none", "--out", str(tmp_path)])
    printed = capsys.readouterr()

    assert status == 0, printed.err
    assert "bare proxy uvloop" in printed.out
    (written,) = tmp_path.glob("*.json")
    scenarios = json.loads(written.read_text())["scenarios"]
    assert set(scenarios) == {"throughput", "latency", "stream"}
    for outcomes in scenarios.values():
        assert set(outcomes) == {"bare proxy uvloop", "bare proxy asyncio"}


def test_lor3_is_measured_and_every_answer_is_stored(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The run fails if lor3 answers anything but 200 or stores another number of answers; all targets are judged."""
    status = main([*SMALL, *CLASSIC, "--gateway", "sqlite", "--connections", "4", "--out", str(tmp_path)])
    printed = capsys.readouterr()

    assert status == 0, printed.err
    (written,) = tmp_path.glob("*.json")
    result = json.loads(written.read_text())
    assert result["answers"] == result["rows"] > 0
    assert len(result["targets"]) == 6
    assert set(result["scenarios"]["prompt"]) == {"lor3", "lor3 with a prompt"}


def test_streams_of_lor3_are_measured_and_stored(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Beside the bare proxy, each on a server of its own."""
    few = ["--only", "idle", "--share", "0.002"]
    status = main([*SMALL, *few, "--gateway", "sqlite", "--out", str(tmp_path)])
    printed = capsys.readouterr()

    assert status == 0, printed.err
    (written,) = tmp_path.glob("*.json")
    result = json.loads(written.read_text())
    assert result["answers"] == result["rows"] > 0
    assert {"bare proxy uvloop", "lor3"} == set(result["streams"]["idle"])
    assert "an idle stream" in [target["name"] for target in result["targets"]]


@pytest.mark.parametrize("flags", [[], ["--calls"]])
def test_profile_names_functions_of_lor3(flags: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """Both profilers see the use case at work."""
    status = main(["profile", *SMALL, "--gateway", "sqlite", "--only", "throughput", *flags])
    printed = capsys.readouterr()

    assert status == 0, printed.err
    assert "application/use_cases/send_chat.py" in printed.out


def test_missed_target_is_marked() -> None:
    """A figure on the wrong side of its bound is MISSED, on the bound it is met."""
    assert "MISSED" in str(Target(name="memory", value=90.1, bound=90, sense="at most", unit="MB"))
    assert "MISSED" not in str(Target(name="ratio", value=0.45, bound=0.45, sense="at least", unit="x"))


def test_benchmark_leaves_the_caller_on_its_cores(tmp_path: Path) -> None:
    """Only children are pinned."""
    before = os.sched_getaffinity(0)
    main([*SMALL, "--gateway", "none", "--only", "start", "--out", str(tmp_path)])

    assert os.sched_getaffinity(0) == before


def test_memory_is_measured_on_what_was_seeded(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The long thread, a few short ones, and all figures."""
    status = main(["memory", "--messages", "12000", "--rounds", "1", "--out", str(tmp_path)])
    printed = capsys.readouterr()

    assert status == 0, printed.err
    result = json.loads((tmp_path / "memory.json").read_text())
    assert {"new": 1, "fresh": 2, "long": 2} == {
        kind: each["trips"] for kind, each in result["probed"].items()
    }
    assert {"first", "middle", "end"} == set(result["pages"])
    assert 7 == len(result["targets"])


def test_seeded_messages_lie_in_their_months(empty_postgres_url: str) -> None:
    """Twelve months of them, in threads without gaps, each answer behind its question."""
    seeded = seeding.seed(empty_postgres_url, 12_000)
    with psycopg.connect(empty_postgres_url) as connection:
        connection.execute("SELECT set_config('lor3.tenants', '*', false)")

        def one(statement: str) -> int:
            row = connection.execute(statement).fetchone()
            assert row is not None
            return int(row[0])

        assert seeded.messages == one("SELECT count(*) FROM messages") >= 12_000
        assert one("SELECT count(DISTINCT tableoid) FROM messages") == 12
        assert one("SELECT count(*) FROM messages_default") == 0
        assert seeded.messages == one(
            "SELECT count(*) FROM messages m JOIN threads t ON t.id = m.thread_id AND m.position < t.next_position"
        )
        assert one("SELECT count(DISTINCT (thread_id, position)) FROM messages") == seeded.messages
        assert one(
            "SELECT count(*) FROM messages a JOIN messages q ON q.id = a.parent "
            "AND q.thread_id = a.thread_id AND q.position = a.position - 1"
        ) == one("SELECT count(*) FROM attempts")
        assert one("SELECT count(*) FROM messages WHERE substr(id::text, 15, 1) <> '7'") == 0
    assert (seeded.long_thread, seeding.LONG) == seeding.longest_thread(empty_postgres_url)


def test_seeding_asks_for_a_database(capsys: pytest.CaptureFixture[str]) -> None:
    """It fills none by chance."""
    assert main(["seed"]) == 1
    assert "--url" in capsys.readouterr().err
