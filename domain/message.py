"""One turn of a conversation, in the vocabulary that every provider can be lowered to."""

from typing import Literal, TypeAlias

from domain.values import frozen

Role: TypeAlias = Literal["system", "user", "assistant", "tool"]


@frozen(kw_only=True)
class TextPart:
    """Plain text."""

    text: str


@frozen(kw_only=True)
class ImagePart:
    """An image, by reference or inline; exactly one of `url` and `data` is set.

    lor3 passes a URL on to the provider and never fetches it.
    """

    url: str | None = None
    data: str | None = None
    """Base64, without a `data:` prefix."""
    media_type: str | None = None
    """Such as `image/png`: of inline data; beside a `url` what the caller said of it, for itself alone."""
    detail: Literal["auto", "low", "high"] | None = None


Part: TypeAlias = TextPart | ImagePart


@frozen(kw_only=True)
class ToolCall:
    """A function the model asks its caller to run."""

    id: str
    name: str
    arguments: str
    """JSON text exactly as the model wrote it; never repaired."""
    complete: bool = True
    """False where the answer ended inside the arguments, or they are no JSON."""


@frozen(kw_only=True)
class Message:
    """A turn. Assistant turns may hold `tool_calls`; a tool turn answers one by `tool_call_id`."""

    role: Role
    parts: tuple[Part, ...] = ()
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str | None = None
    token_count: int | None = None
    """Known for stored messages, so that nothing is counted twice."""
    count_is_exact: bool = False
    """True where the very provider that is to be asked counted the tokens: then no margin is added."""
    pinned: bool = False
    """True for an earlier turn that no pass may leave out."""

    @classmethod
    def of(cls, role: Role, text: str) -> "Message":
        return cls(role=role, parts=(TextPart(text=text),))

    @property
    def text(self) -> str:
        """All text parts, joined without a separator."""
        parts = self.parts
        if len(parts) == 1 and isinstance(parts[0], TextPart):
            return parts[0].text
        return "".join(part.text for part in parts if isinstance(part, TextPart))

    @property
    def has_images(self) -> bool:
        for part in self.parts:  # noqa: SIM110 - half the cost of any() with a generator, on every request
            if isinstance(part, ImagePart):
                return True
        return False

    @property
    def images(self) -> tuple[ImagePart, ...]:
        return tuple(part for part in self.parts if isinstance(part, ImagePart))
