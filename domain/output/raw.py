"""The answer as the model wrote it."""

import attrs

from domain.json_value import JSONObject
from domain.output.formatter import Formatted
from domain.values import frozen


@frozen
class RawFormatter:
    """Changes nothing and asks for nothing."""

    name: str = attrs.field(default="raw", init=False)
    wants_json: bool = attrs.field(default=False, init=False)
    is_instant: bool = attrs.field(default=True, init=False)
    instruction: str | None = attrs.field(default=None, init=False)

    def format(self, text: str, *, schema: JSONObject | None) -> Formatted:
        return Formatted(output=text, text=text)
