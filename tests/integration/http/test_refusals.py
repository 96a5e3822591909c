"""Refusals that become no message are in the report of errors."""

import datetime
from pathlib import Path

import attrs

from application.services.refusal_tally import RefusalTally
from domain.access import ANYBODY
from domain.ids import DEFAULT_TENANT, Tenant
from domain.usage_report import UsageQuery
from entrypoints.application import Application
from entrypoints.settings import ServerSettings
from tests.support.callers import CallersByName
from tests.support.http import serving
from tests.support.rate_limiters import keyed_caller

_RING = CallersByName(
    ANYBODY,
    web=keyed_caller("web", requests_per_minute=1),
    narrow=attrs.evolve(keyed_caller("narrow"), scopes=frozenset()),
)


async def test_each_refusal_is_in_the_report_of_errors_once(tmp_path: Path) -> None:
    """401, 403, 429, 503 and what a chat is refused for, of the tenant that is known, or of `default`."""
    tallies: list[RefusalTally] = []

    def counted(application: Application) -> Application:
        # This server's own tally hears of chats; what the boundary tells goes to the test in place of it.
        tally = RefusalTally(unit_of_work=application.store.unit_of_work, clock=application.clock)
        tallies.append(tally)
        return attrs.evolve(_RING.instead(application), telemetry=tally)

    async def post(name: str | None, **body: str) -> int:
        headers = {} if name is None else {"Authorization": f"Bearer {name}"}
        async with server.client.post("/chat", json={"prompt": "hi", **body}, headers=headers) as answer:
            return answer.status

    async with serving(tmp_path, change=counted, server=ServerSettings(max_in_flight=1)) as server:
        assert [await post("web"), await post("web"), await post("web")] == [200, 429, 429]
        assert [await post("nobody"), await post("narrow")] == [401, 403]
        assert await post(None, model="nobody:none") == 400
        server.state.in_flight += 1
        assert await post(None) == 503
        server.state.in_flight -= 1
        assert server.state.shedding is not None
        server.state.shedding.stop()  # tells of what was refused unread
        await tallies[0].aclose()
    found = {}
    moment = datetime.datetime.now(datetime.UTC)
    query = UsageQuery(since=moment - datetime.timedelta(hours=2), until=moment, is_open=True)
    async with serving(tmp_path) as server:
        for tenant in (DEFAULT_TENANT, Tenant("acme")):
            async with server.application.store.unit_of_work(tenant) as work:
                found[tenant] = {(row.source, row.code): row.count for row in await work.usage.errors(query)}

    assert found == {
        DEFAULT_TENANT: {
            ("refusal", "unauthenticated"): 1,
            ("refusal", "invalid_request"): 1,
            ("refusal", "overloaded"): 1,
        },
        "acme": {("refusal", "rate_limited"): 2, ("refusal", "forbidden"): 1},
    }
