"""What operators do and what befalls a server as a whole (faults 61 to 64, 78, 82 to 86, 88)."""

import asyncio
import datetime
import gc
import io
import json
import math
import os
import resource
import sys
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import aiohttp
import attrs
import pytest

from adapters.system import SystemClock
from application.use_cases.send_chat import SendChat
from entrypoints.container import Container
from entrypoints.http.shedding import Shedding
from tests.support.fault_upstream.server import FaultUpstream, fault_upstream
from tests.support.operations import Served, config, served
from tests.support.sqlite_files import put_migrated


@attrs.define
class Load:
    """Chats without a pause, and how they ended."""

    statuses: list[int] = attrs.field(factory=list)


@asynccontextmanager
async def under_load(server: Served, *, clients: int = 4) -> AsyncIterator[Load]:
    """Plain chats and streams, while inside."""
    load, over = Load(), asyncio.Event()

    async def chat(number: int) -> None:
        while not over.is_set():
            body: dict[str, Any] = {"prompt": "hi", "model": "fast", "stream": bool(number % 2)}
            async with server.client.post("/chat", json=body) as response:
                raw = await response.read()
            is_whole = b"event: done" in raw if body["stream"] else True
            load.statuses.append(response.status if is_whole else 599)

    async with asyncio.TaskGroup() as group:
        for number in range(clients):
            group.create_task(chat(number))
        yield load
        over.set()


async def test_row_84_good_configuration_counts_without_a_restart(
    tmp_path: Path, upstream: FaultUpstream
) -> None:
    """Price, alias, key, base URL, limits, origins and defaults are new for the next chat; under load none fails."""
    async with fault_upstream() as other:
        first = config(upstream.openai_url, aliases={"fast": "local:ok"})
        second = config(
            other.openai_url,
            key="KEY_1",
            aliases={"fast": "local:ok-next", "slow": "local:ok"},
            prices={"local:ok-next": {"input_per_mtok": 100, "output_per_mtok": 200}},
            server={"max_body_bytes": 1024, "cors_origins": ["https://app.example"]},
            log={"level": "error"},
        )
        async with served(tmp_path, first) as server:
            async with under_load(server) as load:
                _, before = await server.chat(model="fast")
                await asyncio.sleep(0.02)
                await server.reload(second)
                asked_before = len(upstream.attempts)
                _, after = await server.chat(model="fast")
                await asyncio.sleep(0.05)
            asked_after = len(upstream.attempts)
            async with server.client.options(
                "/chat",
                headers={"Origin": "https://app.example", "Access-Control-Request-Method": "POST"},
            ) as preflight:
                allowed = preflight.headers.get("Access-Control-Allow-Origin")
            too_large, _ = await server.chat(prompt="x" * 2000)
            keys = {attempt.headers["authorization"] for attempt in other.attempts}
            _, slow = await server.chat(model="slow")

    assert set(load.statuses) == {200}
    assert (before["model"], after["model"]) == ("local:ok", "local:ok-next")
    assert float(after["cost_usd"]) == pytest.approx(100 * float(before["cost_usd"]))
    assert asked_after - asked_before <= 4  # those that were under way, one a client
    assert keys == {"Bearer sk-one"}
    assert (allowed, too_large, slow["model"]) == ("https://app.example", 413, "local:ok")


@pytest.mark.parametrize(
    "broken",
    ["primary: [", "nonsense: 1", "primary: nobody:knows\nprices: {x: 1}", "server: {drain_s: -1}"],
)
async def test_row_84_broken_configuration_is_refused_as_a_whole(
    broken: str, tmp_path: Path, upstream: FaultUpstream, caplog: pytest.LogCaptureFixture
) -> None:
    """The old one answers, readiness stays, each fault is an error in the log."""
    async with served(tmp_path, config(upstream.openai_url, aliases={"fast": "local:ok"})) as server:
        before = server.application
        await server.reload(broken)
        status, answer = await server.chat(model="fast")
        async with server.client.get("/readyz") as ready:
            pass
        after = server.application
        errors = [each for each in caplog.records if each.name == "lor3.config"]

    assert (status, answer["model"], ready.status) == (200, "local:ok", 200)
    assert after is before
    assert errors
    assert {each.getMessage() for each in errors} == {"configuration not taken, the old one stays"}
    assert all(each.__dict__["fields"]["message"] for each in errors)


async def test_row_84_what_needs_a_restart_is_named_and_stays(
    tmp_path: Path, upstream: FaultUpstream, caplog: pytest.LogCaptureFixture
) -> None:
    """A warning names each path; the rest of the file counts."""
    async with served(tmp_path, config(upstream.openai_url)) as server:
        running_on = server.application.settings
        await server.reload(
            config(
                upstream.openai_url,
                aliases={"new": "local:ok"},
                server={"port": 4000},
                database={"url": "sqlite:///other.db"},
                threads={"when_busy": "reject"},
            )
        )
        settings = server.application.settings
        status, _ = await server.chat(model="new")
        warnings = [each for each in caplog.records if each.name == "lor3.config"]

    assert status == 200
    assert (settings.server.port, settings.database) == (running_on.server.port, running_on.database)
    assert {each.getMessage() for each in warnings} == {"setting counts from the next start on"}
    assert [each.__dict__["fields"]["path"] for each in warnings] == [
        "server.port",
        "database.url",
        "threads.when_busy",
    ]


async def test_row_84_reloads_leave_nothing_behind(tmp_path: Path, upstream: FaultUpstream) -> None:
    """After 20 of them there are the first wiring and the last, and no task more; what is as it was keeps its connections."""
    texts = [
        config(upstream.openai_url, key=f"KEY_{number % 2}", aliases={"fast": "local:ok"})
        for number in range(20)
    ]
    async with frozen(), served(tmp_path, texts[0]) as server:
        at_first = wirings()
        async with under_load(server, clients=2) as load:
            for text in texts:
                await server.reload(text)
        await server.chat()
        before = len(asyncio.all_tasks())
        unchanged = server.application.settings.providers
        connections = upstream.connections
        await server.reload(texts[-1])
        await server.chat()
        async with asyncio.timeout(30):
            while wirings() > at_first + 1:  # noqa: ASYNC110 - what is garbage tells nobody
                await asyncio.sleep(0.02)
        left = len(asyncio.all_tasks())

    assert set(load.statuses) == {200}
    assert server.application.settings.providers == unchanged
    assert upstream.connections == connections
    assert left <= before


@asynccontextmanager
async def frozen() -> AsyncIterator[None]:
    """As in a server that has started: what is there already need not be looked through for garbage."""
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


def wirings() -> int:
    """How many use cases that answer chats are alive."""
    gc.collect()
    return sum(isinstance(each, SendChat) for each in gc.get_objects())


def test_row_78_sigterm_with_fifty_live_streams(tmp_path: Path) -> None:
    """Two workers: not ready at once, what ends in time is whole, the rest is told `shutting_down`; exit 0."""
    asyncio.run(_drained(tmp_path))


async def _drained(folder: Path) -> None:
    put_migrated(folder / "lor3.db")
    (folder / "lor3.yaml").write_text("providers: {demo: {delay_s: 0.2}}\nserver: {drain_s: 1.5}\n")
    clean = {name: value for name, value in os.environ.items() if not name.endswith(("_API_KEY", "_URL"))}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "lor3", "serve", "--json", "--port", "0", "--workers", "2"),
        cwd=folder,
        env=clean,
        stdout=PIPE,
        stderr=DEVNULL,
    )
    assert process.stdout is not None
    url = json.loads(await process.stdout.readline())["url"]
    short: dict[str, Any] = {"prompt": "hi", "max_tokens": 5}
    long: dict[str, Any] = {"prompt": "word " * 20}
    bodies = [*[{**short, "stream": True}] * 10, *[{**long, "stream": True}] * 40]
    async with aiohttp.ClientSession(url, connector=aiohttp.TCPConnector(limit=0)) as client:

        async def chat(body: dict[str, Any]) -> bytes:
            async with client.post("/chat", json=body) as response:
                return await response.read()

        async with asyncio.timeout(30):
            chats = [asyncio.ensure_future(chat(body)) for body in bodies]
            await asyncio.sleep(0.5)
            process.terminate()
            await asyncio.sleep(0.2)
            async with client.get("/readyz", headers={"Connection": "close"}) as ready:
                pass
            answers = await asyncio.gather(*chats)
            code = await process.wait()

    assert (code, ready.status) == (0, 503)
    assert [b"event: done" in each for each in answers[:10]] == [True] * 10
    assert [b"shutting_down" in each for each in answers[10:]] == [True] * 40
    assert [b"event: done" in each for each in answers[10:]] == [False] * 40


HEAD: Final = b"POST /chat HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"


async def test_row_61_body_of_ten_megabytes_is_refused_unread(
    tmp_path: Path, upstream: FaultUpstream
) -> None:
    """413: by its length before a byte, in chunks at the limit; the rest is never asked for."""
    async with served(tmp_path, config(upstream.openai_url, server={"max_body_bytes": 100_000})) as server:
        chunk = b"%x\r\n%s\r\n" % (60_000, b" " * 60_000)
        by_length, chunked = await asyncio.gather(
            server.raw(HEAD + b"Content-Length: 10485760\r\n\r\n"),
            server.raw(HEAD + b"Transfer-Encoding: chunked\r\n\r\n", chunk, chunk),
        )
        healthy, _ = await server.chat()

    assert by_length.startswith(b"HTTP/1.1 413 ")
    assert chunked.startswith(b"HTTP/1.1 413 ")
    assert healthy == 200
    assert len(upstream.attempts) == 1


async def test_rows_62_63_slow_clients_are_ended(tmp_path: Path, upstream: FaultUpstream) -> None:
    """A body that stalls is a 408; a trickled head and an idle connection are closed."""
    limits = {"body_timeout_s": 0.3, "idle_timeout_s": 0.5}
    async with served(tmp_path, config(upstream.openai_url, server=limits)) as server:
        async with asyncio.timeout(30):
            stalled, trickled, idle = await asyncio.gather(
                server.raw(HEAD + b"Content-Length: 100\r\n\r\n{"),
                server.raw(b"GET /healthz HTTP/1.1\r\nX-A: "),
                server.raw(),
            )
        healthy, _ = await server.chat()

    assert stalled.startswith(b"HTTP/1.1 408 ")
    assert (trickled, idle) == (b"", b"")
    assert healthy == 200


MALFORMED: Final = (
    b"",
    b"{",
    b"\xff\xfe",
    b'{"prompt": "\xff"}',
    '{"prompt": "hi"}'.encode("utf-16"),
    b'\xef\xbb\xbf{"prompt": "hi"}',
    b'{"prompt": "hi", "schema": ' + b'{"a":' * 1100 + b"1" + b"}" * 1101,
    b'{"prompt": "hi", "temperature": NaN}',
    b'{"prompt": "hi", "seed": ' + b"9" * 5000 + b"}",
    b'{"prompt": "hi", "prompt": "ho"}',
    b'{"prompt": "\\ud800"}',
    b'{"prompt": "hi", "max_tokens": true}',
    b'{"messages": [' + b",".join([b'{"role":"user","content":"x"}'] * 100_000) + b"]}",
)


async def test_row_64_malformed_bodies_are_400(tmp_path: Path, upstream: FaultUpstream) -> None:
    """On every protocol's route, never a 500, and nobody is asked."""
    async with served(tmp_path, config(upstream.openai_url)) as server:
        statuses = []
        for path in ("/chat", "/v1/chat/completions", "/ui/chat"):
            for body in MALFORMED:
                headers = {"Content-Type": "application/json"}
                async with server.client.post(path, data=io.BytesIO(body), headers=headers) as response:
                    statuses.append(response.status)

    assert statuses == [400] * len(statuses)
    assert upstream.attempts == []


def test_row_82_sixty_four_descriptors(tmp_path: Path) -> None:
    """More connections than there are descriptors: those beyond wait or fail, the process lives, and recovers."""
    asyncio.run(_crowded(tmp_path))


async def _crowded(folder: Path) -> None:
    put_migrated(folder / "lor3.db")
    clean = {name: value for name, value in os.environ.items() if not name.endswith(("_API_KEY", "_URL"))}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "lor3", "serve", "--json", "--port", "0"),
        cwd=folder,
        env=clean,
        stdout=PIPE,
        stderr=DEVNULL,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64)),
    )
    assert process.stdout is not None
    url = json.loads(await process.stdout.readline())["url"]
    port = int(url.rpartition(":")[2])
    crowd = [await asyncio.open_connection("127.0.0.1", port) for _ in range(120)]
    await asyncio.sleep(0.3)
    for _, writer in crowd:
        writer.close()
    async with asyncio.timeout(20), aiohttp.ClientSession(url) as client:
        status = 0
        while status != 200:
            try:
                async with client.post("/chat", json={"prompt": "hi"}) as response:
                    status = response.status
            except aiohttp.ClientConnectionError:
                await asyncio.sleep(0.05)
        process.terminate()
        code = await process.wait()

    assert (status, code) == (200, 0)


async def test_row_86_retrying_clients_make_no_storm(tmp_path: Path, upstream: FaultUpstream) -> None:
    """Clients that send each failed chat twice more: the upstream is asked at most 1.2 times a request."""
    async with served(tmp_path, config(upstream.openai_url, primary="local:f06-500")) as server:
        requests = 0

        async def stubborn() -> None:
            nonlocal requests
            for _ in range(3):
                requests += 1
                status, _ = await server.chat()
                if status == 200:
                    return

        for _ in range(10):
            await asyncio.gather(*(stubborn() for _ in range(10)))

    assert requests == 300
    assert len(upstream.attempts) <= 1.2 * requests


async def test_row_88_short_soak_leaves_nothing_behind(tmp_path: Path, upstream: FaultUpstream) -> None:
    """One HTTP client, 900 chats, streams and refusals: none fails; no task, descriptor or object stays."""
    async with frozen(), served(tmp_path, config(upstream.openai_url)) as server:

        async def soak(rounds: int) -> list[int]:
            async def chats() -> list[int]:
                found = []
                for number in range(rounds):
                    async with server.client.post(
                        "/chat", json={"prompt": "hi", "stream": number % 3 == 0}
                    ) as response:
                        raw = await response.read()
                    is_whole = number % 3 or b"event: done" in raw
                    found.append(response.status if is_whole else 599)
                return found

            several = await asyncio.gather(*(chats() for _ in range(10)))
            return [status for one in several for status in one]

        statuses = await soak(30)  # fills pools and caches
        before = measured()
        statuses += await soak(60)
        after = measured()

    assert set(statuses) == {200}
    tasks, descriptors, objects = (after[name] - before[name] for name in ("tasks", "descriptors", "objects"))
    assert (tasks, descriptors) <= (0, 0)
    assert objects < 20_000  # 600 chats: what is kept of the last 256 answers is 40 objects each


def measured() -> dict[str, int]:
    gc.collect()
    return {
        "tasks": len(asyncio.all_tasks()),
        "descriptors": len(list(Path("/proc/self/fd").iterdir())),
        "objects": len(gc.get_objects()),
    }


async def test_row_85_excess_is_refused_unread_while_the_loop_is_late(
    tmp_path: Path, upstream: FaultUpstream
) -> None:
    """503 with Retry-After on each protocol, on a connection that goes on; probes and metrics are never shed.

    How much is answered at ten times the load is measured by `python -m bench --only overload`.
    """
    bodies: dict[str, dict[str, Any]] = {
        "/chat": {"prompt": "hi"},
        "/v1/chat/completions": {"model": "local:ok", "messages": [{"role": "user", "content": "hi"}]},
        "/ui/chat": {
            "id": "a",
            "messages": [{"id": "b", "role": "user", "parts": [{"type": "text", "text": "hi"}]}],
        },
    }
    async with served(tmp_path, config(upstream.openai_url)) as server:
        be_overloaded(server)
        last = b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        refused = []
        for path, body in bodies.items():
            # Whole in one segment, and cut in two, which has to be parsed first.
            raw = json.dumps(body).encode()
            head = b"POST %s HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n" % path.encode()
            head += b"Content-Length: %d\r\n" % len(raw)
            refused.append(await two_answers(server, head + b"\r\n" + raw, last))
            slow, _ = await two_answers(server, head + b"Expect: 100-continue\r\n\r\n" + raw, last)
            assert slow.startswith(b"HTTP/1.1 503 ")
        alive = await two_answers(server, b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n", last)
        async with server.client.get("/metrics") as metrics, server.client.get("/readyz") as ready:
            pass
        server.state.overload.limit = math.inf
        status, _ = await server.chat()

    assert (metrics.status, ready.status, status) == (200, 200, 200)
    assert without_what_varies(alive[0]) == without_what_varies(alive[1])
    for first, health in refused:
        assert first.startswith(b"HTTP/1.1 503 ")
        assert b"Retry-After: 1\r\n" in first
        assert b"overloaded" in first
        assert health.startswith(b"HTTP/1.1 200 ")
    assert len(upstream.attempts) == 1


async def test_row_85_excess_that_follows_an_answer_is_refused_unread(
    tmp_path: Path, upstream: FaultUpstream
) -> None:
    """On the connection that was answered: not by the boundary, which costs six times as much."""
    raw = b'{"prompt":"hi"}'
    head = b"POST /chat HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
    async with served(tmp_path, config(upstream.openai_url)) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        async with asyncio.timeout(5):
            writer.write(head % len(raw) + raw)
            statuses = [(await one_answer(reader))[9:12]]
            shedding = be_overloaded(server)
            for _ in range(3):
                writer.write(head % len(raw) + raw)
                statuses.append((await one_answer(reader))[9:12])
        unread = shedding._shed
        writer.close()

    assert statuses == [b"200", b"503", b"503", b"503"]
    assert unread == {"/chat": 3}
    assert len(upstream.attempts) == 1


async def one_answer(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
    return head + await reader.readexactly(length)


def be_overloaded(server: Served) -> Shedding:
    """From now on, however late the loop is in truth."""
    assert server.state.shedding is not None
    server.state.shedding.stop()
    server.state.overload.limit = 0
    return server.state.shedding


def without_what_varies(answer: bytes) -> tuple[list[bytes], bytes]:
    """Its head's lines in order, and its body."""
    head, _, body = answer.partition(b"\r\n\r\n")
    varies = (b"x-request-id:", b"date:", b"connection:")
    return sorted(line for line in head.split(b"\r\n") if not line.lower().startswith(varies)), body


async def two_answers(server: Served, *requests: bytes) -> tuple[bytes, bytes]:
    """The second is sent when the first was answered."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    found = []
    async with asyncio.timeout(30):
        for request in requests:
            writer.write(request)
            found.append(await one_answer(reader))
    writer.close()
    return found[0], found[1]


@attrs.define
class JumpingClock:
    """The system's, whose wall clock is wrong by as much as somebody sets it; time goes on as ever."""

    ahead: datetime.timedelta = datetime.timedelta()
    _real: SystemClock = attrs.field(factory=SystemClock)

    def now(self) -> datetime.datetime:
        return self._real.now() + self.ahead

    def monotonic(self) -> float:
        return self._real.monotonic()

    async def sleep(self, seconds: float) -> None:
        await self._real.sleep(seconds)


async def test_row_83_wall_clock_that_jumps_an_hour(tmp_path: Path, upstream: FaultUpstream) -> None:
    """Chats, streams and replays go on, and a limit that is used up stays so: none of them asks the wall clock."""
    clock, container = JumpingClock(), Container()
    container.clock.override(clock)
    limits = {"address": {"rpm": 4}}
    async with served(tmp_path, config(upstream.openai_url, limits=limits), container=container) as server:
        key = {"Idempotency-Key": "one"}
        replies = []
        for hours in (0, 1, -1, 0):
            clock.ahead = datetime.timedelta(hours=hours)
            async with server.client.post("/chat", json={"prompt": "hi"}, headers=key) as response:
                replies.append((response.status, (await response.json()).get("message_id")))
        refused = []
        for hours in (0, 1, -1):
            clock.ahead = datetime.timedelta(hours=hours)
            refused.append((await server.chat())[0])

    assert [status for status, _ in replies] == [200] * 4
    assert len({message_id for _, message_id in replies}) == 1
    assert refused == [429] * 3
    assert len(upstream.attempts) == 1
