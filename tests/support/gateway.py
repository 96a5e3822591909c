"""A whole lor3 on a real socket before a fault upstream, and the checks that every fault row shares.

Leaving the gateway asserts what `faults` demands of every row: the next healthy request succeeds, attempts
seen upstream equal the counter, no key and no provider text is anywhere, and no task is left over.
"""

import asyncio
import base64
import itertools
import json
import sqlite3
import urllib.parse
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, closing
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import aiohttp
import attrs
from aiohttp import web
from prometheus_client.parser import text_string_to_metric_families

from application.ports.chat_provider import ProviderConfig, Timeouts, TransportName
from application.ports.price_book import Price
from domain.catalogue import Catalogue
from domain.chat_defaults import ChatDefaults
from domain.model import ModelRef, ModelSpec
from domain.routing.settings import RoutingPolicy
from domain.secret import Secret
from entrypoints.application import Application
from entrypoints.bootstrap import open_store, running
from entrypoints.http.app import create_app
from entrypoints.http.runner import Runner
from entrypoints.settings import DatabaseSettings, LogSettings, Settings
from tests.support.fault_upstream.server import FAULTS, TASK_NAME, FaultUpstream
from tests.support.fault_upstream.wire import INPUT_TOKENS, OUTPUT_TOKENS, PROVIDER_TEXT_CANARY, Wire
from tests.support.waiting import HANGS_S

KEY_CANARIES: Final = {
    "openai": "sk-CANARY-openai-3c51f0a7",
    "anthropic": "sk-ant-CANARY-anthropic-9e42b8d1",
    "spare": "sk-CANARY-spare-77d0c2aa",
    "broken": "sk-CANARY-broken-b1946ac9",
}
PROMPT_CANARY: Final = "CANARY-PROMPT-5d41"
PROMPT: Final = f"Say hello. {PROMPT_CANARY}"
HEALTHY_COST: Final = Decimal(INPUT_TOKENS * 1 + OUTPUT_TOKENS * 2) / 1_000_000
"""What the upstream's healthy answer costs at the prices below."""
_PRICE: Final = Price(input_per_mtok=Decimal(1), output_per_mtok=Decimal(2))
_PATIENT: Final = Timeouts(connect_s=HANGS_S, first_token_s=HANGS_S, idle_s=HANGS_S, total_s=2 * HANGS_S)
ATTEMPTS_METRIC: Final = "lor3_attempts_total"


@attrs.frozen(kw_only=True)
class Reply:
    """What the client of the gateway got."""

    http_status: int
    headers: Mapping[str, str]
    raw: bytes
    events: tuple[tuple[str, dict[str, Any]], ...] = ()
    """Of a stream: name and data of each."""
    elapsed_s: float

    @property
    def body(self) -> dict[str, Any]:
        """The answer or the problem, of a stream its last event's data."""
        if self.events:
            return self.events[-1][1]
        parsed: dict[str, Any] = json.loads(self.raw)
        return parsed

    @property
    def status(self) -> int:
        """The status, of a failed stream the one in its error event."""
        if self.events:
            name, data = self.events[-1]
            return int(data["status"]) if name == "error" else 200
        return self.http_status

    @property
    def code(self) -> str:
        return str(self.body.get("code", "ok"))

    @property
    def names(self) -> list[str]:
        """The names of a stream's events, neighbours of one name as one."""
        return [name for name, _ in itertools.groupby(name for name, _ in self.events)]

    @property
    def text(self) -> str:
        """What a stream's deltas come to: those before a reset are void."""
        texts: list[str] = []
        for name, data in self.events:
            if name == "reset":
                texts.clear()
            elif name == "delta":
                texts.append(data["text"])
        return "".join(texts)

    @property
    def outcomes(self) -> list[str]:
        return [attempt["outcome"] for attempt in self.body["attempts"]]

    @property
    def retry_after_s(self) -> int | None:
        value = self.headers.get("Retry-After")
        return None if value is None else int(value)


@attrs.define(kw_only=True)
class Gateway:
    """A running lor3."""

    application: Application
    url: str
    upstream: FaultUpstream
    database: Path
    client: aiohttp.ClientSession
    unseen: int = 0
    """Attempts that were counted and can't have reached the upstream (refused, no TLS), less those that
    reached it and are not counted (the silent retry on a stale connection). Set by the test."""
    credential: str | None = None
    """An API key, or a token, that requests are sent with."""
    secrets: list[str] = attrs.field(factory=lambda: [*KEY_CANARIES.values()])
    """What must be nowhere: in no log line, metric, row or answer."""
    told_secrets: list[str] = attrs.field(factory=list)
    """What a caller wrote into a prompt, so that the thread holds it: it must be in no log line or metric."""
    logs_content: bool = False
    _seen_by_client: bytearray = attrs.field(factory=bytearray)

    @property
    def _headers(self) -> dict[str, str]:
        return {} if self.credential is None else {"Authorization": f"Bearer {self.credential}"}

    async def chat(
        self, model: str, fallbacks: Sequence[str] = (), *, stream: bool = False, **fields: Any
    ) -> Reply:
        """POST /chat."""
        fields = {"prompt": PROMPT, "model": model, "fallbacks": list(fallbacks), "stream": stream, **fields}
        return await self.ask("POST", "/chat", json=fields)

    async def ask(
        self, method: str, path: str, *, headers: Mapping[str, str] | None = None, json: Any = None
    ) -> Reply:
        """Any request, with the credential where `headers` have none of their own; none hangs."""
        loop = asyncio.get_running_loop()
        started = loop.time()
        headers = self._headers if headers is None else headers
        async with (
            asyncio.timeout(HANGS_S),
            self.client.request(method, self.url + path, json=json, headers=headers) as response,
        ):
            raw = await response.read()
            elapsed_s = loop.time() - started
            self._seen_by_client += raw + str(response.headers).encode()
            events: tuple[tuple[str, dict[str, Any]], ...] = ()
            if response.content_type == "text/event-stream":
                events = parse_events(raw)
            return Reply(
                http_status=response.status,
                headers=dict(response.headers),
                raw=raw,
                events=events,
                elapsed_s=elapsed_s,
            )

    async def complete(self, model: str, fallbacks: Sequence[str]) -> list[dict[str, Any] | None]:
        """POST /v1/chat/completions, streamed: the data of each event, None for `[DONE]`."""
        body = {
            "messages": [{"role": "user", "content": PROMPT}],
            "model": model,
            "stream": True,
            "lor3": {"fallbacks": list(fallbacks)},
        }
        async with self.client.post(
            f"{self.url}/v1/chat/completions", json=body, headers=self._headers
        ) as response:
            raw = await response.read()
            self._seen_by_client += raw
            assert (response.status, response.content_type) == (200, "text/event-stream"), raw
        data = [block.removeprefix("data: ") for block in raw.decode().split("\n\n") if block]
        return [None if each == "[DONE]" else json.loads(each) for each in data]

    @asynccontextmanager
    async def listening(
        self, model: str, fallbacks: Sequence[str] = (), *, until: bytes = b"", **fields: Any
    ) -> AsyncIterator[bytes]:
        """A chat, streamed where `fields` say nothing else, read up to the first block that `until` is in; leaving cuts the connection."""
        body = {"prompt": PROMPT, "model": model, "fallbacks": list(fallbacks), "stream": True, **fields}
        reader, writer = await asyncio.open_connection(*urllib.parse.urlsplit(self.url).netloc.split(":"))
        data = json.dumps(body).encode()
        headers = "".join(f"{name}: {value}\r\n" for name, value in self._headers.items())
        writer.write(
            b"POST /chat HTTP/1.1\r\nHost: lor3\r\nContent-Type: application/json\r\n%b"
            b"Content-Length: %d\r\n\r\n%b" % (headers.encode(), len(data), data)
        )
        try:
            raw = b""
            async with asyncio.timeout(HANGS_S):
                while until not in raw:
                    block = await reader.read(65536)
                    assert block, f"the stream ended early: {raw!r}"
                    raw += block
            self._seen_by_client += raw
            yield raw
        finally:
            writer.transport.abort()

    async def settled(self, status: str, *, within_s: float = HANGS_S) -> dict[str, Any]:
        """The newest answer's row, once it is stored with that status."""
        async with asyncio.timeout(within_s):
            while True:
                answers = [row for row in self.rows("messages") if row["role"] == "assistant"]
                if answers and answers[-1]["status"] == status:
                    return answers[-1]
                await asyncio.sleep(0.02)

    def counted(self, metric: str) -> int:
        """The sum of a counter over all its labels, as /metrics shows it."""
        families = text_string_to_metric_families(self.application.metrics().decode())
        samples = (sample for family in families for sample in family.samples)
        return round(sum(sample.value for sample in samples if sample.name == metric))

    def rows(self, table: str) -> list[dict[str, Any]]:
        """All rows of a table, in the order in which they were made."""
        with closing(sqlite3.connect(self.database)) as connection:
            connection.row_factory = sqlite3.Row
            found = connection.execute(f"SELECT * FROM {table} ORDER BY rowid")  # noqa: S608 - a test's own name
            return [dict(row) for row in found]

    def assert_answered(
        self, reply: Reply, model: str, *, cost: Decimal | None = HEALTHY_COST, cut: int = 0
    ) -> None:
        """P1: the answer, its usage and its cost are stored, with the user's turn and all attempts.

        Args:
            cut: how many of the attempts had said something before they failed: they are charged.
        """
        assert (reply.status, reply.code) == (200, "ok"), reply.raw
        answer = reply.body
        assert answer["model"] == model
        user, assistant = self._turns(answer["message_id"])
        assert (user["role"], user["status"]) == ("user", "complete")
        assert (assistant["role"], assistant["status"]) == ("assistant", "complete")
        assert f"{assistant['provider']}:{assistant['model']}" == model
        assert answer["usage"]["input_tokens"] == assistant["input_tokens"]
        assert answer["usage"]["output_tokens"] == assistant["output_tokens"]
        assert Decimal(answer["cost_usd"]) == Decimal(assistant["cost_usd"])
        if cost is not None:
            assert Decimal(answer["cost_usd"]) == cost
        if reply.events:
            assert self.stored_text(assistant) == reply.text
        self._assert_attempts(assistant["id"], reply.outcomes, cut=cut)
        assert reply.outcomes[-1] == "ok"
        assert set(reply.outcomes[:-1]).isdisjoint({"ok"})

    def assert_failed(self, reply: Reply, status: int, code: str, *, attempts: int | None = None) -> None:
        """P0: the user's turn and a failed answer without a text are stored, at no cost."""
        assert (reply.status, reply.code) == (status, code), reply.raw
        user, assistant = self._turns(None)
        assert (user["role"], user["status"]) == ("user", "complete")
        assert (assistant["status"], assistant["error_code"]) == ("failed", code)
        assert PROMPT_CANARY not in str(assistant["content"])
        assert "Hello" not in str(assistant["content"])
        assert Decimal(assistant["cost_usd"]) == 0
        rows = [row for row in self.rows("attempts") if row["message_id"] == assistant["id"]]
        assert all(Decimal(row["cost_usd"]) == 0 for row in rows)
        assert "ok" not in [row["outcome"] for row in rows]
        if attempts is not None:
            assert attempts == len([row for row in rows if not row["outcome"].startswith("skipped_")])

    def assert_cut(self, reply: Reply, status: int, code: str, *, text: str, models: Sequence[str]) -> None:
        """PP: an error after content; the text so far is stored as incomplete, with its estimated price.

        Args:
            models: of the attempts, in order; the last that said something is the answer's.
        """
        assert reply.events, reply.raw
        assert (reply.http_status, reply.events[-1][0]) == (200, "error"), reply.raw
        assert (reply.status, reply.code) == (status, code), reply.raw
        assert "done" not in reply.names
        if status >= 500:
            assert reply.body["detail"].startswith("the answer was cut, and is kept as incomplete: ")
        assert text == reply.text
        user, assistant = self._turns(None)
        assert (user["role"], user["status"]) == ("user", "complete")
        self.assert_partial(assistant, text=text)
        assert code == assistant["error_code"]
        rows = sorted(
            (row for row in self.rows("attempts") if row["message_id"] == assistant["id"]),
            key=lambda row: int(row["number"]),
        )
        made = [row for row in rows if not row["outcome"].startswith("skipped_")]
        assert list(models) == [f"{row['provider']}:{row['model']}" for row in made]
        assert "ok" not in [row["outcome"] for row in made]

    def assert_partial(self, row: Mapping[str, Any], *, text: str) -> None:
        """The row of an answer that was cut: what was said of it, by whom, and what it cost by our own count."""
        assert row["status"] == "incomplete"
        assert text == self.stored_text(row)
        assert row["provider"]
        assert row["model"]
        assert row["usage_estimated"]
        assert Decimal(row["cost_usd"]) > 0

    def _turns(self, message_id: str | None) -> tuple[dict[str, Any], dict[str, Any]]:
        """The newest user turn and its answer, or those of one answer."""
        messages = self.rows("messages")
        answer = next(
            row
            for row in reversed(messages)
            if row["role"] == "assistant" and message_id in (None, row["id"])
        )
        thread = [row for row in messages if row["thread_id"] == answer["thread_id"]]
        user = next(row for row in thread if row["position"] == answer["position"] - 1)
        return user, answer

    @staticmethod
    def stored_text(row: Mapping[str, Any]) -> str:
        """The text of a row of messages."""
        return "".join(part["text"] for part in json.loads(row["content"])["parts"])

    def _assert_attempts(self, message_id: str, outcomes: list[str], *, cut: int) -> None:
        rows = [row for row in self.rows("attempts") if row["message_id"] == message_id]
        rows = [
            row
            for row in sorted(rows, key=lambda row: int(row["number"]))
            if not row["outcome"].startswith("skipped_")
        ]
        assert outcomes == [row["outcome"] for row in rows]
        failed = [Decimal(row["cost_usd"]) for row in rows if row["outcome"] != "ok"]
        assert len([cost for cost in failed if cost > 0]) == cut

    async def check_every_row(self, next_models: Sequence[str]) -> None:
        """The next healthy request succeeds, and the attempts seen upstream equal the counter."""
        for model in next_models:
            reply = await self.chat(model)
            assert (reply.status, reply.body.get("output")) == (200, "Hello from upstream."), (
                model,
                reply.raw,
            )
        assert self.counted(ATTEMPTS_METRIC) - self.unseen == len(self.upstream.attempts)

    def check_canaries(self, logs: str) -> None:
        """No key is anywhere, no provider's error text anywhere, no prompt in logs and metrics."""
        metrics = self.application.metrics()
        with closing(sqlite3.connect(self.database)) as connection:
            tables = "\n".join(connection.iterdump())
        sinks = {
            "what the client got": bytes(self._seen_by_client),
            "logs": logs.encode(),
            "metrics": metrics,
            "the tables": tables.encode(),
            "database": b"".join(path.read_bytes() for path in self.database.parent.glob("gateway.db*")),
        }
        for name, content in sinks.items():
            kept_out = self.secrets + (self.told_secrets if name in ("logs", "metrics") else [])
            for secret in kept_out:
                for shape in _shapes(secret):
                    assert shape not in content, f"a secret is in {name}"
            assert PROVIDER_TEXT_CANARY.encode() not in content, f"a provider's own text is in {name}"
        assert '"request served"' in logs, "the log was not captured, so nothing was shown"
        assert ('"chat said"' in logs) == self.logs_content
        assert (PROMPT_CANARY in logs) == self.logs_content
        assert PROMPT_CANARY.encode() not in metrics


def parse_events(raw: bytes) -> tuple[tuple[str, dict[str, Any]], ...]:
    """The events of a finished stream; comments are left out."""
    events = []
    for block in raw.decode().split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.split("\n") if line and not line.startswith(":"))
        if "event" in fields:
            events.append((fields["event"], json.loads(fields["data"])))
    return tuple(events)


def _shapes(key: str) -> list[bytes]:
    """A key as it is, as base64 and as it stands in a URL."""
    return [
        key.encode(),
        base64.b64encode(key.encode()).rstrip(b"="),
        urllib.parse.quote(key, safe="").encode(),
    ]


def settings_for(
    upstream: FaultUpstream,
    database: Path,
    *,
    broken: tuple[Wire, str] | None = None,
    timeouts: Timeouts | None = None,
    routing: RoutingPolicy | None = None,
    windows: Mapping[str, int] | None = None,
    transport: TransportName = "direct",
    logs_content: bool = False,
) -> Settings:
    """Settings with the providers openai, anthropic, spare (an OpenAI-compatible one) and perhaps broken.

    Args:
        broken: wire and base URL of a provider that lives elsewhere.
        windows: context windows by `provider:model`.
        timeouts: of openai, anthropic and broken; the spare one has time, however busy the machine is.
        transport: of the same.
    """
    limits = timeouts or Timeouts(connect_s=2.0, first_token_s=5.0, idle_s=5.0, total_s=20.0)
    places = {
        "openai": ("openai", upstream.openai_url),
        "anthropic": ("anthropic", upstream.anthropic_url),
        "spare": ("openai-compatible", upstream.openai_url),
    }
    if broken is not None:
        places["broken"] = broken
    providers = {
        name: ProviderConfig(
            name=name,
            kind=kind,
            base_url=url,
            api_key=Secret(KEY_CANARIES[name]),
            transport="direct" if name == "spare" else transport,
            timeouts=_PATIENT if name == "spare" else limits,
        )
        for name, (kind, url) in places.items()
    }
    models = [*FAULTS, "ok", "ok-next", "ok-other", "ok-fallback"]
    names = [f"{name}{suffix}" for name in models for suffix in ("", "-once", "-twice")]
    specs = {}
    for text, window in (windows or {}).items():
        ref = ModelRef.parse(text)
        specs[ref] = ModelSpec(ref=ref, context_window=window)
    return Settings(
        chat=ChatDefaults(primary="spare:ok"),
        providers=providers,
        catalogue=Catalogue(specs=specs, aliases={}, provider_aliases={}, providers=frozenset(places)),
        prices={f"{provider}:{name}": _PRICE for provider in places for name in names},
        routing=routing or RoutingPolicy(retry_base_s=0.05),
        database=DatabaseSettings(url=Secret(f"sqlite:///{database}")),
        log=LogSettings(level="debug", format="json", content=logs_content),
    )


async def migrate(database: Path) -> None:
    """Makes an SQLite file with lor3's tables and no rows."""
    store = open_store(
        Settings(
            chat=ChatDefaults(primary="demo:demo"),
            providers={},
            catalogue=Catalogue(specs={}, aliases={}, provider_aliases={}, providers=frozenset()),
            database=DatabaseSettings(url=Secret(f"sqlite:///{database}")),
        )
    )
    await store.start()
    await store.aclose()


@asynccontextmanager
async def gateway(
    upstream: FaultUpstream,
    folder: Path,
    read_logs: Callable[[], str],
    *,
    next_models: Sequence[str] = ("openai:ok-next", "anthropic:ok-next", "spare:ok-next"),
    **settings: Any,
) -> AsyncIterator[Gateway]:
    """Runs lor3 with `settings_for(**settings)` and checks on leaving what every fault row demands.

    Args:
        folder: for the database.
        read_logs: gives everything that was logged or printed so far.
        next_models: that must be able to answer once the fault is over.
    """
    before = asyncio.all_tasks()
    database = folder / "gateway.db"
    async with running(settings_for(upstream, database, **settings)) as application:
        runner = Runner(create_app(application))
        await runner.setup()
        try:
            site = web.TCPSite(runner, "127.0.0.1", 0)
            await site.start()
            url = f"http://127.0.0.1:{runner.addresses[0][1]}"
            async with aiohttp.ClientSession() as client:
                gate = Gateway(
                    application=application,
                    url=url,
                    upstream=upstream,
                    database=database,
                    client=client,
                    logs_content=settings.get("logs_content", False),
                )
                yield gate
                await gate.check_every_row(next_models)
        finally:
            await runner.cleanup()
    gate.check_canaries(read_logs())
    await _assert_no_task_left(before)


async def _assert_no_task_left(before: set[asyncio.Task[Any]]) -> None:
    """Waits up to a second for tasks that are just ending."""
    left: list[asyncio.Task[Any]] = []
    for _ in range(50):
        left = [task for task in asyncio.all_tasks() - before if not task.get_name().startswith(TASK_NAME)]
        if not left:
            return
        await asyncio.sleep(0.02)
    raise AssertionError(f"tasks were left over: {left}")
