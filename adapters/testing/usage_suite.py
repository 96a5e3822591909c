"""What every store must report of its use; a part of `StoreSuite`."""

import datetime
import itertools
import uuid
from decimal import Decimal
from typing import Any, Final

import attrs

from adapters.testing.chats_to_store import first_chat
from adapters.testing.feedback_suite import rate
from adapters.testing.prompts_to_store import OTHER_TENANT, Stores
from application.ports.store import Store
from domain.anomaly_record import SeenAnomaly
from domain.attempt import Attempt
from domain.feedback import Feedback, Rating
from domain.ids import DEFAULT_TENANT, MessageId, SessionId, Tenant, ThreadId
from domain.message import Message
from domain.model import ModelRef
from domain.refusal import RefusalCount
from domain.thread import ChatRecord, StoredMessage
from domain.usage import Usage
from domain.usage_report import GROUPS, RatingStatistics, UsageGroup, UsageQuery, UsageRow

DAY: Final = datetime.timedelta(days=1)
START: Final = datetime.datetime(2026, 10, 30, tzinfo=datetime.UTC)
WHOLE: Final = UsageQuery(since=START, until=START + 30 * DAY)
GPT: Final = ModelRef("openai", "gpt-4")
OPUS: Final = ModelRef("anthropic", "claude-opus-5-5")
KEY: Final = "0190b6a2-0000-7000-8000-00000000000a"
_NUMBERS: Final = itertools.count()


def _id_at(moment: datetime.datetime) -> str:
    """A UUIDv7 of that time."""
    milliseconds = round(moment.timestamp() * 1000)
    return str(uuid.UUID(int=milliseconds << 80 | 0x7000 << 64 | 1 << 63 | next(_NUMBERS)))


def chat_at(
    moment: datetime.datetime,
    *,
    tenant: Tenant = DEFAULT_TENANT,
    user: str | None = "ada",
    **answer: Any,
) -> ChatRecord:
    """The first chat of a thread, made at that time; the fields of its answer may be changed."""
    made = first_chat(tenant=tenant)
    session = attrs.evolve(made.session, id=SessionId(_id_at(moment)), user=user, created_at=moment)
    thread = attrs.evolve(made.thread, id=ThreadId(_id_at(moment)), session_id=session.id, created_at=moment)
    question, reply = (
        attrs.evolve(message, id=MessageId(_id_at(moment)), thread_id=thread.id, created_at=moment)
        for message in made.messages
    )
    fields = {
        "model": GPT,
        "usage": Usage(input_tokens=10, output_tokens=20, cached_input_tokens=5),
        "cost_usd": Decimal("0.5"),
        "latency_ms": 100,
        "prompt_version": None,
        "prompt_label": None,
        "parent": question.id,
        **answer,
    }
    return attrs.evolve(
        made, session=session, thread=thread, messages=(question, attrs.evolve(reply, **fields)), attempts=()
    )


async def _commit(store: Store, *records: ChatRecord) -> None:
    for record in records:
        await store.journal.commit(record)


async def _report(
    store: Store, query: UsageQuery = WHOLE, *, tenant: Tenant = DEFAULT_TENANT
) -> tuple[UsageRow, ...]:
    async with store.unit_of_work(tenant) as work:
        return await work.usage.report(query)


async def _groups(store: Store, group_by: UsageGroup) -> list[tuple[str | None, int]]:
    rows = await _report(store, attrs.evolve(WHOLE, group_by=group_by))
    return [(row.group, row.requests) for row in rows]


def _attempt(model: ModelRef, outcome: str, **fields: Any) -> Attempt:
    return Attempt(
        model=model, outcome=outcome, **{"started_at": START, "cost_usd": Decimal("0.01"), **fields}
    )


class UsageSuite:
    async def test_usage_adds_up(self, stores: Stores) -> None:
        """Requests, errors, tokens, costs, latencies and ratings, in one row for all."""
        store, _ = stores
        answers = [
            chat_at(START, latency_ms=10),
            chat_at(START, latency_ms=20, cost_usd=None),
            chat_at(START, latency_ms=40, cost_usd=Decimal(0)),
            chat_at(START, latency_ms=80),
            # Refused by every model: nothing was said, nothing is known of a model.
            chat_at(
                START,
                model=None,
                status="failed",
                error_code="upstream_error",
                usage=Usage(input_tokens=0, output_tokens=0),
                cost_usd=Decimal(0),
                latency_ms=9000,
                finish_reason=None,
            ),
            # Failed and paid for: its JSON was not valid twice.
            chat_at(START, status="failed", error_code="output_invalid", latency_ms=7000),
        ]
        await _commit(store, *answers)
        ratings: tuple[Rating, ...] = ("thumbs_up", "thumbs_down", 2, 5)
        for record, rating in zip(answers, ratings, strict=False):
            await rate(store, record.messages[-1].id, Feedback(rating=rating, given_at=START))

        (row,) = await _report(store)
        assert row == UsageRow(
            group=None,
            requests=6,
            errors=2,
            input_tokens=50,
            output_tokens=100,
            cached_input_tokens=25,
            cost_usd=Decimal("1.5"),
            unpriced=1,
            latency_mean_ms=37.5,
            latency_p50_ms=30.0,
            latency_p95_ms=74.0,
            latency_p99_ms=78.8,
            ratings=RatingStatistics(count=4, total=2.25, thumbs_up=1, thumbs_down=1, stars=2, stars_total=7),
        )

    async def test_nothing_used_is_one_row_of_nothing(self, stores: Stores) -> None:
        """In groups it is no row at all."""
        store, _ = stores

        assert await _report(store) == (
            UsageRow(
                group=None,
                requests=0,
                errors=0,
                input_tokens=0,
                output_tokens=0,
                cached_input_tokens=0,
                cost_usd=Decimal(0),
                unpriced=0,
                latency_mean_ms=None,
                latency_p50_ms=None,
                latency_p95_ms=None,
            ),
        )
        for group_by in GROUPS:
            assert await _report(store, attrs.evolve(WHOLE, group_by=group_by)) == ()

    async def test_usage_is_grouped_by_each_of_its_groups(self, stores: Stores) -> None:
        """By name, those without one last."""
        store, _ = stores
        await _commit(
            store,
            chat_at(START, prompt_version="support:v2", prompt_label="production", key_id=KEY),
            chat_at(START, prompt_version="support:v10", prompt_label="production", user="bob", key_id=KEY),
            chat_at(START + DAY, prompt_version="support:v2", model=OPUS, user=None),
            chat_at(START + 3 * DAY, prompt_version="greeter:v2", prompt_label="staging"),
            chat_at(START + 3 * DAY, model=None, status="failed", error_code="upstream_error", user=None),
        )

        assert {group_by: await _groups(store, group_by) for group_by in GROUPS} == {
            "model": [("anthropic:claude-opus-5-5", 1), ("openai:gpt-4", 3), (None, 1)],
            "provider": [("anthropic", 1), ("openai", 3), (None, 1)],
            "prompt": [("greeter", 1), ("support", 3), (None, 1)],
            "prompt_version": [("greeter:v2", 1), ("support:v10", 1), ("support:v2", 2), (None, 1)],
            "label": [("greeter@staging", 1), ("support@production", 2), (None, 2)],
            "user": [("ada", 2), ("bob", 1), (None, 2)],
            "key": [(KEY, 2), (None, 3)],
            "day": [("2026-10-30", 2), ("2026-10-31", 1), ("2026-11-02", 2)],
            "hour": [("2026-10-30T00", 2), ("2026-10-31T00", 1), ("2026-11-02T00", 2)],
        }

    async def test_each_group_has_its_own_figures(self, stores: Stores) -> None:
        """Means and percentiles of one group know nothing of another's."""
        store, _ = stores
        for latency_ms, model in ((10, GPT), (30, GPT), (500, OPUS), (1500, OPUS), (2500, OPUS)):
            await _commit(store, chat_at(START, model=model, latency_ms=latency_ms))
        opus, gpt = await _report(store, attrs.evolve(WHOLE, group_by="model"))

        assert (opus.group, gpt.group) == (str(OPUS), str(GPT))
        assert (gpt.latency_mean_ms, gpt.latency_p50_ms, gpt.latency_p95_ms) == (20.0, 20.0, 29.0)
        assert (opus.latency_mean_ms, opus.latency_p50_ms, opus.latency_p95_ms) == (1500.0, 1500.0, 2400.0)
        assert (gpt.cost_usd, opus.cost_usd) == (Decimal("1.0"), Decimal("1.5"))

    async def test_users_have_a_mean_latency_and_no_percentiles(self, stores: Stores) -> None:
        """Of their complete answers, in whole hours and in parts of them."""
        store, _ = stores
        for latency_ms in (10, 30, 500, None):
            await _commit(store, chat_at(START + DAY, user="ada", latency_ms=latency_ms))
        await _commit(store, chat_at(START + DAY, user="bob", status="failed", error_code="timeout"))
        part = UsageQuery(
            since=START + DAY - datetime.timedelta(minutes=1),
            until=START + DAY + datetime.timedelta(minutes=1),
            group_by="user",
        )

        for query in (attrs.evolve(WHOLE, group_by="user"), part):
            ada, bob = await _report(store, query)
            assert (ada.requests, ada.latency_mean_ms, bob.latency_mean_ms) == (4, 180.0, None)
            assert (ada.latency_p50_ms, ada.latency_p95_ms, ada.latency_p99_ms) == (None, None, None)

    async def test_costs_add_up_exactly(self, stores: Stores) -> None:
        """Neither binary fractions nor twenty-eight digits are enough for these."""
        store, _ = stores
        costs = [
            Decimal("0.1"),
            Decimal("0.2"),
            Decimal("0.000000000001"),
            Decimal("123456789.123456789012"),
            Decimal("0.000000000000000000000000000000000007"),
            Decimal("0.999999999999999999"),
            Decimal(0),
            Decimal(42),
        ]
        await _commit(store, *(chat_at(START, cost_usd=cost) for cost in costs))

        (row,) = await _report(store)
        assert row.cost_usd == Decimal("123456832.423456789012999999000000000000000007")

    async def test_usage_is_that_of_its_time(self, stores: Stores) -> None:
        """The beginning counts, the end does not, whatever zone either is given in."""
        store, _ = stores
        moment = datetime.timedelta(microseconds=1)
        zone = datetime.timezone(datetime.timedelta(hours=5, minutes=45))
        since, until = START + DAY, START + 2 * DAY
        await _commit(
            store, *(chat_at(at) for at in (since - moment, since, until - moment, until, until + 20 * DAY))
        )

        query = UsageQuery(since=since.astimezone(zone), until=until.astimezone(zone))
        (row,) = await _report(store, query)
        assert row.requests == 2
        widest = UsageQuery(
            since=datetime.datetime.min.replace(tzinfo=datetime.UTC),
            until=datetime.datetime.max.replace(tzinfo=datetime.UTC),
        )
        (everything,) = await _report(store, widest)
        assert everything.requests == 5

    async def test_usage_of_a_long_chat_is_found_by_when_it_ended(self, stores: Stores) -> None:
        """An answer's id is as old as its request."""
        store, _ = stores
        record = chat_at(START - datetime.timedelta(minutes=30))
        asked, answer = record.messages
        answer = attrs.evolve(answer, created_at=START)
        await _commit(store, attrs.evolve(record, messages=(asked, answer)))

        (row,) = await _report(store)
        assert row.requests == 1

    async def test_what_the_caller_said_is_no_use(self, stores: Stores) -> None:
        """Not even where it brings answers that another system gave."""
        store, _ = stores
        record = chat_at(START)
        asked, answer = record.messages
        brought = StoredMessage(
            id=MessageId(_id_at(START)),
            tenant=DEFAULT_TENANT,
            thread_id=record.thread.id,
            message=Message.of("assistant", "From elsewhere."),
            created_at=START,
        )
        again = attrs.evolve(asked, id=MessageId(_id_at(START)))
        await _commit(store, attrs.evolve(record, messages=(asked, brought, again, answer)))

        (row,) = await _report(store)
        assert (row.requests, row.unpriced) == (1, 0)

    async def test_copies_in_a_fork_cost_nothing(self, stores: Stores) -> None:
        """They were paid for in the thread they come from. A rating that one is given counts where it was given: it is
        of that answer as much as another one."""
        store, _ = stores
        record = chat_at(START, prompt_version="support:v2", latency_ms=30)
        await _commit(store, record, chat_at(START + DAY, prompt_version="greeter:v1"))
        copied_at = START + 40 * DAY
        fork = attrs.evolve(record.thread, id=ThreadId(_id_at(copied_at)), length=2, updated_at=copied_at)
        copies = [
            attrs.evolve(
                message,
                id=MessageId(_id_at(copied_at)),
                thread_id=fork.id,
                position=position,
                parent=None,
                copied_from=message.id,
            )
            for position, message in enumerate(record.messages)
        ]
        async with store.unit_of_work(DEFAULT_TENANT) as work:
            await work.threads.add(fork)
            await work.messages.add(copies)
            await work.commit()

        assert await _groups(store, "prompt_version") == [("greeter:v1", 1), ("support:v2", 1)]
        await rate(store, record.messages[-1].id, Feedback(rating="thumbs_down", given_at=START))
        await rate(store, copies[-1].id, Feedback(rating=5, given_at=copied_at))
        greeter, support = await _report(store, attrs.evolve(WHOLE, group_by="prompt_version"))
        assert greeter.ratings.count == 0
        assert support == UsageRow(
            group="support:v2",
            requests=1,
            errors=0,
            input_tokens=10,
            output_tokens=20,
            cached_input_tokens=5,
            cost_usd=Decimal("0.5"),
            unpriced=0,
            latency_mean_ms=30.0,
            latency_p50_ms=30.0,
            latency_p95_ms=30.0,
            latency_p99_ms=30.0,
            ratings=RatingStatistics(count=2, total=1.0, thumbs_up=0, thumbs_down=1, stars=1, stars_total=5),
        )
        (later,) = await _report(store, UsageQuery(since=copied_at - DAY, until=copied_at + DAY))
        assert (later.requests, later.ratings.count) == (0, 0)

    async def test_answers_of_a_deleted_thread_count(self, stores: Stores) -> None:
        """The money was spent; by user too."""
        store, _ = stores
        record = chat_at(START)
        await _commit(store, record)
        await rate(store, record.messages[-1].id, Feedback(rating=5, given_at=START))
        async with store.unit_of_work(DEFAULT_TENANT) as work:
            await work.threads.delete(record.thread.id, at=START)
            await work.commit()

        (row,) = await _report(store, attrs.evolve(WHOLE, group_by="user"))
        assert (row.group, row.requests, row.cost_usd) == ("ada", 1, Decimal("0.5"))

    async def test_usage_of_another_tenant_is_not_counted(self, stores: Stores) -> None:
        """Nor do its latencies move a percentile."""
        store, _ = stores
        await _commit(
            store,
            chat_at(START, latency_ms=10),
            *(chat_at(START, tenant=OTHER_TENANT, latency_ms=9000) for _ in range(3)),
        )

        for group_by in (None, *GROUPS):
            (row,) = await _report(store, attrs.evolve(WHOLE, group_by=group_by))
            percentile = None if group_by == "user" else 10.0
            assert (row.requests, row.latency_p50_ms, row.latency_p95_ms) == (1, percentile, percentile)
        (theirs,) = await _report(store, tenant=OTHER_TENANT)
        assert (theirs.requests, theirs.latency_p50_ms) == (3, 9000.0)

    async def test_prompts_are_told_by_version_and_label(self, stores: Stores) -> None:
        """With what people thought of them; those without come last."""
        store, _ = stores
        rated = chat_at(START, prompt_version="support:v2", prompt_label="production")
        await _commit(
            store,
            rated,
            chat_at(START, prompt_version="support:v2", status="failed", error_code="timeout"),
            chat_at(START),
        )
        await rate(store, rated.messages[-1].id, Feedback(rating="thumbs_up", given_at=START))

        async with store.unit_of_work(DEFAULT_TENANT) as work:
            found = await work.usage.prompts(WHOLE)
        assert [(row.prompt_version, row.prompt_label) for row in found] == [
            ("support:v2", "production"),
            ("support:v2", None),
            (None, None),
        ]
        assert [row.figures.ratings.thumbs_up for row in found] == [1, 0, 0]
        assert [row.figures.errors for row in found] == [0, 1, 0]

    async def test_calls_to_providers_are_told_by_model(self, stores: Stores) -> None:
        """Tries that failed, were passed over, or had another one in their place."""
        store, _ = stores
        tried = (
            _attempt(GPT, "rate_limited", latency_ms=5, status=429),
            _attempt(GPT, "server_error", latency_ms=7),
            _attempt(OPUS, "ok", latency_ms=900, usage=Usage(input_tokens=3, output_tokens=4)),
        )
        passed_over = (_attempt(GPT, "skipped_breaker"), _attempt(OPUS, "ok", latency_ms=300, cost_usd=None))
        left = (_attempt(OPUS, "cancelled", latency_ms=40),)
        later = chat_at(START + DAY)
        await _commit(
            store,
            attrs.evolve(chat_at(START), attempts=tried),
            attrs.evolve(chat_at(START), attempts=passed_over),
            attrs.evolve(later, attempts=left),
        )

        async with store.unit_of_work(DEFAULT_TENANT) as work:
            opus, gpt = await work.usage.providers(WHOLE)
        assert (gpt.provider, gpt.model, gpt.requests, gpt.errors, gpt.skipped) == (
            "openai",
            "gpt-4",
            2,
            2,
            1,
        )
        assert (gpt.failovers, gpt.error_rate, gpt.latency_p50_ms) == (2, 1.0, None)
        assert gpt.outcomes == (("rate_limited", 1), ("server_error", 1), ("skipped_breaker", 1))
        assert gpt.last_error_at == START
        assert (opus.requests, opus.errors, opus.failovers, opus.last_error_at) == (3, 0, 0, None)
        assert (opus.latency_mean_ms, opus.latency_p50_ms, opus.input_tokens) == (600.0, 600.0, 3)
        assert (opus.cost_usd, opus.unpriced) == (Decimal("0.02"), 1)

    async def test_errors_are_counted_by_their_codes(self, stores: Stores) -> None:
        """Of chats, and of tries behind which another one may have answered; the most frequent first."""
        store, _ = stores
        failed = attrs.evolve(
            chat_at(START, model=None, status="failed", error_code="upstream_error"),
            attempts=(_attempt(GPT, "timeout"), _attempt(GPT, "timeout")),
        )
        again = attrs.evolve(chat_at(START + DAY), attempts=(_attempt(GPT, "timeout"), _attempt(OPUS, "ok")))
        await _commit(store, failed, again)

        async with store.unit_of_work(DEFAULT_TENANT) as work:
            found = await work.usage.errors(WHOLE)
        assert [(row.source, row.code, row.provider, row.model, row.count) for row in found] == [
            ("attempt", "timeout", "openai", "gpt-4", 3),
            ("chat", "upstream_error", "openai", "gpt-4", 1),
        ]
        assert [row.last_at for row in found] == [START + DAY, START]

    async def test_requests_that_were_turned_away_are_errors(self, stores: Stores) -> None:
        """Added up by their codes, of their tenant and their time; no report of answers counts them."""
        store, other = stores
        later = START + DAY
        for tenant in (DEFAULT_TENANT, OTHER_TENANT):
            async with store.unit_of_work(tenant) as work:
                await work.refusals.add(
                    [
                        RefusalCount(code="budget_exceeded", key_id=KEY, count=3, last_at=START),
                        RefusalCount(code="unauthenticated", count=1, last_at=START),
                    ]
                )
                await work.commit()
        async with store.unit_of_work(DEFAULT_TENANT) as work:
            await work.refusals.add([RefusalCount(code="budget_exceeded", count=2, last_at=later)])
            await work.refusals.add([RefusalCount(code="overloaded", count=9, last_at=START + 90 * DAY)])
            await work.refusals.add([])
            await work.commit()
        async with store.unit_of_work(DEFAULT_TENANT) as work:
            await work.refusals.add([RefusalCount(code="overloaded", count=9, last_at=START)])

        async with other.unit_of_work(DEFAULT_TENANT) as work:
            found = await work.usage.errors(WHOLE)
        assert [(row.source, row.code, row.key, row.count, row.last_at) for row in found] == [
            ("refusal", "budget_exceeded", KEY, 3, START),
            ("refusal", "budget_exceeded", None, 2, later),
            ("refusal", "unauthenticated", None, 1, START),
        ]
        (row,) = await _report(store)
        assert (row.requests, row.errors, row.refused) == (0, 0, 6)
        refused = {
            group_by: {
                row.group: row.refused for row in await _report(store, attrs.evolve(WHOLE, group_by=group_by))
            }
            for group_by in GROUPS
        }
        assert refused == {
            **{group_by: {None: 6} for group_by in GROUPS},
            "key": {KEY: 3, None: 3},
            "day": {"2026-10-30": 4, "2026-10-31": 2},
            "hour": {"2026-10-30T00": 4, "2026-10-31T00": 2},
        }

    async def test_chat_that_nobody_answered_is_of_the_model_asked_first(self, stores: Stores) -> None:
        """In the sums and in parts of hours alike; not of the one that made a summary before it."""
        store, _ = stores
        minute = datetime.timedelta(minutes=1)
        failed = attrs.evolve(
            chat_at(START + 10 * minute, model=None, status="failed", error_code="upstream_error"),
            attempts=(
                _attempt(ModelRef("mini", "mini"), "ok", purpose="summary"),
                _attempt(GPT, "timeout"),
                _attempt(OPUS, "timeout"),
            ),
        )
        await _commit(store, failed, chat_at(START + 20 * minute, model=OPUS))
        part = UsageQuery(since=START + 5 * minute, until=START + 50 * minute)

        for query in (WHOLE, part):
            for group_by, groups in (("model", [str(OPUS), str(GPT)]), ("provider", ["anthropic", "openai"])):
                rows = await _report(store, attrs.evolve(query, group_by=group_by))  # type: ignore[arg-type]
                assert [(row.group, row.errors) for row in rows] == list(zip(groups, (0, 1), strict=True))

    async def test_prompts_and_providers_are_put_together(self, stores: Stores) -> None:
        """All versions of a prompt, all labels of a version, all models of a provider."""
        store, _ = stores
        other = ModelRef("openai", "gpt-5")
        for version, label, model in (("a:v1", "x", GPT), ("a:v1", "y", other), ("a:v2", None, OPUS)):
            made = chat_at(START, prompt_version=version, prompt_label=label)
            await _commit(store, attrs.evolve(made, attempts=(_attempt(model, "ok"),)))

        async with store.unit_of_work(DEFAULT_TENANT) as work:
            by_name = await work.usage.prompts(attrs.evolve(WHOLE, group_by="prompt"))
            by_version = await work.usage.prompts(attrs.evolve(WHOLE, group_by="prompt_version"))
            providers = await work.usage.providers(attrs.evolve(WHOLE, group_by="provider"))
        assert [(row.prompt_version, row.prompt_label, row.figures.requests) for row in by_name] == [
            ("a", None, 3)
        ]
        assert [(row.prompt_version, row.figures.requests) for row in by_version] == [
            ("a:v1", 2),
            ("a:v2", 1),
        ]
        assert [(row.provider, row.model, row.requests) for row in providers] == [
            ("anthropic", "", 1),
            ("openai", "", 2),
        ]

    async def test_usage_of_every_tenant_adds_up(self, stores: Stores) -> None:
        """And falls apart by tenant: answers, calls, refusals and anomalies."""
        store, other = stores
        minute = datetime.timedelta(minutes=1)
        for tenant in (DEFAULT_TENANT, OTHER_TENANT, OTHER_TENANT):
            made = chat_at(START + 10 * minute, tenant=tenant)
            await _commit(store, attrs.evolve(made, attempts=(_attempt(GPT, "ok"),)))
        async with store.unit_of_work(OTHER_TENANT) as work:
            await work.refusals.add([RefusalCount(code="overloaded", count=4, last_at=START)])
            seen = SeenAnomaly(
                id=_id_at(START),
                at=START,
                dimension="model",
                name=str(GPT),
                measure="tokens",
                value=9.0,
                usual=1.0,
                score=8.0,
            )
            await work.anomalies.add([seen])
            await work.commit()
        by_tenant = attrs.evolve(WHOLE, group_by="tenant")
        part = UsageQuery(since=START + 5 * minute, until=START + 50 * minute, group_by="tenant")

        async with other.every_tenant() as books:
            (whole,) = await books.usage.report(WHOLE)
            rows = [await books.usage.report(query) for query in (by_tenant, part)]
            providers = await books.usage.providers(WHOLE)
            points = await books.usage.series(by_tenant, every="day")
            anomalies = await books.anomalies.list(since=START, until=START + DAY, limit=5)
        counts = [(str(DEFAULT_TENANT), 1, 0), (str(OTHER_TENANT), 2, 4)]
        assert (whole.requests, whole.refused, whole.cost_usd) == (3, 4, Decimal("1.5"))
        assert [[(row.group, row.requests, row.refused) for row in each] for each in rows] == [
            sorted(counts),
            sorted(counts),
        ]
        assert [row.requests for row in providers] == [3]
        assert [(point.group, point.requests) for point in points] == [each[:2] for each in sorted(counts)]
        assert [each.id for each in anomalies] == [seen.id]

    async def test_series_has_a_point_where_something_happened(self, stores: Stores) -> None:
        """By group and time; the hours at both ends count whole."""
        store, _ = stores
        hour = datetime.timedelta(hours=1)
        await _commit(
            store,
            chat_at(START + 0.9 * hour),
            chat_at(START + 1.1 * hour),
            chat_at(START + 1.9 * hour, status="failed", error_code="timeout", cost_usd=Decimal(1)),
            chat_at(START + 3.5 * hour, model=OPUS),
            chat_at(START + 4 * hour),
        )
        query = UsageQuery(since=START + 1.5 * hour, until=START + 3.1 * hour, group_by="model")

        async with store.unit_of_work(DEFAULT_TENANT) as work:
            by_hour = await work.usage.series(query, every="hour")
            by_day = await work.usage.series(WHOLE, every="day")
        assert [(each.group, each.start, each.requests, each.errors, each.cost_usd) for each in by_hour] == [
            (str(OPUS), START + 3 * hour, 1, 0, Decimal("0.5")),
            (str(GPT), START + hour, 2, 1, Decimal("1.5")),
        ]
        assert [(each.group, each.start, each.requests, each.tokens) for each in by_day] == [
            (None, START, 5, 150)
        ]
