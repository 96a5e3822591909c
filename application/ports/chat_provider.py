"""The door to one vendor."""

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Literal, Protocol, TypeAlias

import attrs

from domain.chat import ChatRequest, ProviderEvent
from domain.json_value import JSONObject, JSONValue
from domain.model import ModelSpec
from domain.secret import Secret
from domain.values import frozen

TransportName: TypeAlias = Literal["direct", "sdk"]


@frozen(kw_only=True)
class Timeouts:
    """Limits of one attempt, in seconds."""

    connect_s: float = 3.0
    """Name resolution, TCP and TLS together."""
    first_token_s: float = 10.0
    """From sending to the first content; for an answer that is not streamed, to the response's end."""
    idle_s: float = 15.0
    """Between two reads of a stream, whatever is in them."""
    content_idle_s: float = 60.0
    """Between two pieces of content of a stream that sends other things, such as pings."""
    total_s: float = 300.0


@frozen(kw_only=True)
class ProviderConfig:
    """One entry of `providers` in the settings: all that a provider factory is given."""

    name: str
    """As configured; the part before the colon of `provider:model`."""
    kind: str
    """The entry point's name."""
    api_key: Secret | None = None
    base_url: str | None = None
    """None is the vendor's own. Ends before `/chat/completions` or `/v1/messages`; a trailing slash is dropped."""
    transport: TransportName = "direct"
    timeouts: Timeouts = Timeouts()
    options: Mapping[str, JSONValue] = attrs.field(factory=dict)
    """Whatever else the entry holds, for the factory to check."""


@frozen(kw_only=True)
class ProviderCall:
    """One attempt: a request that all passes have rewritten for this model."""

    request: ChatRequest
    spec: ModelSpec
    stream: bool
    """Whether to ask the vendor for a stream. Either way the answer comes as events."""


@frozen(kw_only=True)
class WireRequest:
    """What goes to the vendor, without credentials."""

    method: str
    url: str
    body: JSONObject


class ChatProvider(Protocol):
    """Lowers calls to one vendor's wire and raises its answers to events.

    Never retries: the router is the only retry loop. Knows no fallback, price, prompt or thread.
    """

    @property
    def name(self) -> str: ...

    @property
    def timeouts(self) -> Timeouts: ...

    def refused_parameters(self, names: Collection[str]) -> frozenset[str]:
        """Those of `ChatRequest.parameters` that its wire does not take."""

    def lower(self, call: ProviderCall) -> WireRequest:
        """The exact request `open` would send. Pure; used by explain."""

    def open(self, call: ProviderCall) -> AbstractAsyncContextManager[AsyncIterator[Sequence[ProviderEvent]]]:
        """Sends the call. Entering waits for the response's head (for an unstreamed answer: its whole).

        The iterator yields events in the order that `domain/chat.py` gives, those together that came at once, and
        ends after `AnswerFinished`. An empty batch says that something came, such as a ping: the provider is there.
        Leaving the context, early or not, closes the upstream connection or gives it back to its pool;
        cancelling inside does the same. The connect limit is the adapter's to keep; first-token, idle and
        total limits are kept by the caller.

        Raises:
            ProviderFailure: on entering or from the iterator; nothing else, whatever the vendor sends.
        """

    async def aclose(self) -> None:
        """Closes pooled connections. Calls under way fail with `connection_lost`."""


class ProviderFactory(Protocol):
    """What an entry point of the group `lor3.providers` points at."""

    def __call__(self, config: ProviderConfig) -> ChatProvider:
        """Makes the provider without any I/O; called inside a running event loop.

        Raises:
            ConfigurationError: the entry lacks something or has something it should not.
        """
