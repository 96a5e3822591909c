"""What every token meter must do."""

from abc import ABC, abstractmethod

from domain.message import ImagePart, Message, ToolCall
from domain.model import ModelRef, ModelSpec
from domain.passes.compiler_pass import TokenMeter

_SPEC = ModelSpec(ref=ModelRef("openai", "gpt-5.5"))
_TEXTS = (
    "Hello",
    "Hello, world! " * 50,
    "日本語のテキスト",
    "{}[]<|endoftext|>",
    "\n\n\n",
    "🙂🙂",
    "naïve café",
)


class TokenMeterSuite(ABC):
    """Subclass it, make the meter, and let pytest collect it."""

    @abstractmethod
    def make(self) -> TokenMeter:
        """A fresh meter."""

    def test_empty_text_has_no_tokens(self) -> None:
        """Nothing is nothing."""
        assert self.make().count_text("", _SPEC).tokens == 0

    def test_a_token_is_at_least_a_byte(self) -> None:
        """The budget pass relies on it."""
        for text in _TEXTS:
            assert self.make().count_text(text, _SPEC).tokens <= len(text.encode())

    def test_counting_is_deterministic(self) -> None:
        """The same text, the same number."""
        for text in _TEXTS:
            assert self.make().count_text(text, _SPEC) == self.make().count_text(text, _SPEC)

    def test_a_message_is_more_than_its_text(self) -> None:
        """Framing, images and calls count."""
        meter = self.make()
        text = meter.count_text("Hello there", _SPEC).tokens
        plain = meter.count_message(Message.of("user", "Hello there"), _SPEC).tokens
        image = meter.count_message(
            Message(role="user", parts=(ImagePart(url="https://example.com"),)), _SPEC
        ).tokens
        call = Message(role="assistant", tool_calls=(ToolCall(id="1", name="find", arguments="{}"),))

        assert text < plain
        assert image > 500
        assert (
            meter.count_message(call, _SPEC).tokens
            > meter.count_message(Message(role="assistant"), _SPEC).tokens
        )

    def test_a_margin_is_added_and_said(self) -> None:
        """Where the tokenizer is not public, a count is never presented as exact."""
        meter = self.make()
        exact = meter.count_text(_TEXTS[1], _SPEC)
        padded = meter.count_text(_TEXTS[1], ModelSpec(ref=_SPEC.ref, count_margin=0.5))

        assert not exact.estimated
        assert padded.estimated
        assert exact.tokens * 1.5 <= padded.tokens <= exact.tokens * 1.5 + 1

    def test_lone_surrogates_are_counted(self) -> None:
        """Python strings can hold what UTF-8 can't."""
        assert self.make().count_text("x \ud800 y", _SPEC).tokens > 0
