"""Assistants, as OpenAI's API of that name keeps them and some compatible servers still do."""

from typing import Protocol

from domain.values import frozen


@frozen(kw_only=True)
class Assistant:
    """What of an assistant makes a prompt."""

    id: str
    name: str | None
    instructions: str
    model: str | None
    description: str | None = None
    left_over: tuple[str, ...] = ()
    """What of it no prompt has a place for, such as its tools: a sentence each."""


class Assistants(Protocol):
    """One server that speaks the Assistants wire (`OpenAI-Beta: assistants=v2`).

    Every method raises `AssistantsUnavailable` where the server no longer has that API, and `RemoteFailed`
    where it fails otherwise; neither holds a key or the server's own text.
    """

    async def get(self, assistant_id: str) -> Assistant | None:
        """None where the server has the API, but no such assistant."""

    async def create(self, *, name: str, instructions: str, model: str) -> Assistant: ...

    async def update(self, assistant_id: str, *, instructions: str) -> Assistant: ...

    async def aclose(self) -> None: ...
