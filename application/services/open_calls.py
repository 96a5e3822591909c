"""Finds the tool calls of a thread that a caller sends the results of."""

from collections.abc import Sequence

from application.ports.unit_of_work import UnitOfWorkFactory
from application.services.absence import no_thread
from application.services.exchange_reading import complete, read_back
from application.services.regeneration import Regeneration
from application.services.thread_lookup import position_of
from domain.errors import Fault, InvalidRequest
from domain.exchanges import waiting_turns
from domain.ids import Tenant, ThreadId
from domain.message import Message


async def find_open_calls(
    unit_of_work: UnitOfWorkFactory, tenant: Tenant, thread_id: ThreadId, sent: Sequence[Message]
) -> Regeneration:
    """The exchange that ends in the calls of the thread's last complete answer.

    Results that were sent before, to an answer that failed, are none of it: they are sent again.

    Args:
        sent: begins with the results, one for each of the calls.

    Raises:
        NotFound: there is no such thread.
        InvalidRequest: the last answer made no such call, or another one beside that has no result.
        Conflict: the exchange is too long to be read.
        StorageUnavailable: the database is away.
    """
    async with unit_of_work(tenant) as work:
        thread = await work.threads.get(thread_id)
        if thread is None:
            raise no_thread(thread_id, for_chat=True)
        stored = complete(await read_back(work, thread_id, below=thread.length))
    while stored and stored[-1].message.role != "assistant":
        stored.pop()
    exchange = waiting_turns(stored)
    called = [call.id for call in exchange[-1].message.tool_calls] if exchange else []
    faults = [
        Fault(
            path=f"messages[{index}].tool_call_id",
            message="answers no call of an earlier `assistant` message, nor of the thread's last answer",
        )
        for index, message in enumerate(sent)
        if message.role == "tool" and message.tool_call_id not in called
    ]
    answered = {message.tool_call_id for message in sent}
    missing = [call for call in called if call not in answered]
    if missing and not faults:
        names = ", ".join(missing)
        faults = [
            Fault(path="messages", message=f"the thread's last answer waits for the results of {names} too")
        ]
    if faults:
        raise InvalidRequest.of(*faults)
    return Regeneration(
        thread_id=thread_id,
        turns=tuple(each.message for each in exchange),
        parent=exchange[-1].id,
        below=position_of(exchange[0]),
    )
