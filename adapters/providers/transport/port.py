"""The door between a wire codec and the network. Small, so that a leaner client can take its place."""

from typing import Final, Protocol

import attrs

from domain.errors import ProviderFailure
from domain.values import frozen

MAX_BODY_BYTES: Final = 8 * 1024 * 1024
"""Of a whole answer, decompressed, and of one frame of a stream."""


@frozen(eq=False)
class Endpoint:
    """Where calls go and with which headers. Made once a provider; compared by identity, so that looking up
    what a transport prepared for it costs nothing."""

    method: str
    url: str
    headers: tuple[tuple[str, str], ...] = attrs.field(repr=False)
    """All that go out, credentials included, apart from Host and Content-Length."""


class Answer(Protocol):
    """The head of a response, its body still to be read."""

    @property
    def status(self) -> int: ...

    def header(self, name: str) -> str | None:
        """The first value of a header; `name` in any case."""

    async def read(self) -> bytes:
        """The whole body, decompressed.

        Raises:
            ProviderFailure: `too_large` above MAX_BODY_BYTES, `connection_lost` where it was cut, `bad_body`
                where it does not decompress.
        """

    async def block(self) -> bytes:
        """The next piece of the body as it comes, decompressed; empty at its end.

        Raises as `read`, without a cap on the sum.
        """

    def close(self) -> None:
        """Gives a connection whose answer was read to its end back to the pool and closes any other."""


class Transport(Protocol):
    """Sends one request over a pooled connection. Follows no redirect, retries nothing, keeps no cookie."""

    async def send(self, endpoint: Endpoint, body: bytes) -> Answer:
        """Returns once the head is there, whatever its status; interim (1xx) heads are skipped.

        Keeps the connect limit (name resolution, TCP and TLS together) and no other. When cancelled it closes
        the connection.

        Raises:
            ProviderFailure: `connect`, `tls`, `exhausted`, `connection_lost` or `bad_body` (a head that is not HTTP).
        """

    async def aclose(self) -> None: ...


def too_large() -> ProviderFailure:
    return ProviderFailure(
        "too_large", f"the provider's answer is larger than {MAX_BODY_BYTES // 1024 // 1024} MiB"
    )
