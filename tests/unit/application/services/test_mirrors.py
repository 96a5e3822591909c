"""Answers of other processes, as one process sees them."""

import asyncio

import attrs

from adapters.system import SystemClock
from application.ports.event_log import AnswerAddress, PortionSink
from application.services.mirrors import Mirrors
from domain.answer import Delta
from domain.errors import LorError
from domain.ids import DEFAULT_TENANT, MessageId
from domain.live_answer import Ending, Portion
from lor3.testing import LocalEventLog
from tests.support.shared_events import EventHub, SharedLog, _Following

ADDRESS = AnswerAddress(DEFAULT_TENANT, MessageId("m"))


@attrs.frozen
class SlowLog(SharedLog):
    """Looks for a while."""

    async def follow(self, address: AnswerAddress, into: PortionSink) -> _Following | None:
        await asyncio.sleep(0.01)
        return await super().follow(address, into)


def told(hub: EventHub, text: str, begins: int = 0) -> None:
    if not begins:
        SharedLog(hub).begin(ADDRESS)
    SharedLog(hub).publish(ADDRESS, Portion(begins=begins, events=(Delta(text),)))


async def test_all_readers_of_a_process_share_one_mirror() -> None:
    """Also those who come while it is being opened; it is closed with the last of them, and opened anew for the next."""
    hub = EventHub()
    told(hub, "abc")
    mirrors = Mirrors(event_log=SlowLog(hub), clock=SystemClock())
    one, two = await asyncio.gather(mirrors.reader(ADDRESS), mirrors.reader(ADDRESS, seen=2))
    assert one is not None
    assert two is not None
    open_once = hub.following(ADDRESS)
    one.close()
    still = hub.following(ADDRESS)
    two.close()
    closed = hub.following(ADDRESS)
    told(hub, "def", begins=3)
    three = await mirrors.reader(ADDRESS)

    assert (1, 1, 0) == (open_once, still, closed)
    assert one.log is two.log
    assert three is not None
    assert [Delta("abc"), Delta("def")] == list(three.take().events)
    assert [Delta("c")] == list(two.take().events)


async def test_what_nobody_knows_is_looked_for_each_time() -> None:
    """It may begin in the meantime. Where there are no other processes nobody is asked."""
    hub = EventHub()
    mirrors = Mirrors(event_log=SlowLog(hub), clock=SystemClock())
    both = list(await asyncio.gather(mirrors.reader(ADDRESS), mirrors.reader(ADDRESS)))
    told(hub, "abc")

    assert both == [None, None]
    assert await mirrors.reader(ADDRESS) is not None
    assert await Mirrors(event_log=LocalEventLog(), clock=SystemClock()).reader(ADDRESS) is None


async def test_a_cut_tells_readers_and_stops_following() -> None:
    """What has ended by itself keeps its end."""
    hub = EventHub()
    told(hub, "abc")
    mirrors = Mirrors(event_log=SharedLog(hub), clock=SystemClock())
    reader = await mirrors.reader(ADDRESS)
    assert reader is not None
    because = LorError("stopping")
    mirrors.cut(because)
    mirrors.cut(LorError("again"))

    assert hub.following(ADDRESS) == 0
    assert reader.log.ending == Ending(error=because, is_for_all=False)
