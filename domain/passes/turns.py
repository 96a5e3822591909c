"""Which earlier messages may be left out, and in which portions."""

from domain.message import Message


def oldest_first(history: tuple[Message, ...], messages: tuple[Message, ...]) -> tuple[tuple[int, ...], ...]:
    """Portions of `history`, as indices, in the order in which they may be dropped.

    A portion is a turn: user messages and all that follows until the next user message, so that what is left
    begins with a user message. A tool result is never left without its call, nor a call without its results:
    portions that share one are joined. System messages and pinned ones belong to no portion; neither does a
    turn whose calls are answered in `messages`, nor anything after it.
    """
    turns = _turns(history)
    pinned = _pinned_from(turns, history, messages)
    return tuple(tuple(turn) for turn in turns[:pinned])


def _turns(history: tuple[Message, ...]) -> list[list[int]]:
    turns: list[list[int]] = []
    turn_of_call: dict[str, int] = {}
    previous = ""
    for index, message in enumerate(history):
        if message.role == "system" or message.pinned:
            continue
        if not turns or (message.role == "user" and previous != "user"):
            turns.append([])
        previous = message.role
        turns[-1].append(index)
        for call in message.tool_calls:
            turn_of_call[call.id] = len(turns) - 1
        if message.tool_call_id is not None:
            origin = turn_of_call.get(message.tool_call_id)
            if origin is not None and origin < len(turns) - 1:
                turns[origin:] = [[each for turn in turns[origin:] for each in turn]]
                turn_of_call = {call: min(turn, origin) for call, turn in turn_of_call.items()}
    return turns


def _pinned_from(turns: list[list[int]], history: tuple[Message, ...], messages: tuple[Message, ...]) -> int:
    made = {call.id for message in messages for call in message.tool_calls}
    wanted = {message.tool_call_id for message in messages if message.tool_call_id is not None} - made
    if not wanted:
        return len(turns)
    for number, turn in enumerate(turns):
        if any(call.id in wanted for index in turn for call in history[index].tool_calls):
            return number
    return len(turns)
