"""OutputSmith: how an answer's text becomes what the caller gets."""

from typing import Protocol

from domain.json_value import JSONObject, JSONValue
from domain.values import frozen


@frozen(kw_only=True)
class Formatted:
    """The outcome. With `problems` the answer does not fit; the model may be asked once more with them."""

    output: JSONValue = None
    text: str = ""
    """The text to store: what `output` was made from."""
    problems: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    """For the caller, of an answer that is passed on."""


class Formatter(Protocol):
    """A pure function with a name. Register one under the entry-point group `lor3.formatters`."""

    @property
    def name(self) -> str: ...

    @property
    def wants_json(self) -> bool:
        """True where the model must be told to answer in JSON (by the format pass)."""

    @property
    def instruction(self) -> str | None:
        """A sentence for the system prompt that asks the model for this format; None asks for nothing."""

    @property
    def is_instant(self) -> bool:
        """True where `format` costs microseconds whatever the text; others run in a thread for longer texts."""

    def format(self, text: str, *, schema: JSONObject | None) -> Formatted: ...
