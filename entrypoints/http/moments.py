"""Points in time in a query."""

import datetime
import re
from typing import Final

from domain.json_value import JSONObject, JSONValue
from domain.suggestion import shown
from domain.values import frozen
from entrypoints.http.checks import Faults, Schemas, fault

_DAY: Final = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_TIME: Final = re.compile(
    r"\d{4}-\d{2}-\d{2}[Tt]\d{2}:\d{2}:\d{2}(\.\d{1,9})?([Zz]|[+-]\d{2}:\d{2})", re.ASCII
)
_LOST_PLUS: Final = re.compile(r" \d{2}:\d{2}\Z", re.ASCII)


@frozen
class MomentText:
    """An RFC 3339 time with its zone, or a day, which is its beginning in UTC."""

    def read(self, value: JSONValue, path: str, faults: Faults) -> datetime.datetime | None:
        text = str(value)
        try:
            if _DAY.fullmatch(text):
                return datetime.datetime.fromisoformat(text).replace(tzinfo=datetime.UTC)
            if _TIME.fullmatch(text):
                # What is beyond the microsecond is cut off: no answer's time has it.
                return datetime.datetime.fromisoformat(text.upper()).astimezone(datetime.UTC)
        except (ValueError, OverflowError):
            pass  # such as the 31st of February: reported below with what is no time at all
        hint = "; a `+` in a URL is written %2B" if _LOST_PLUS.search(text) else ""
        fault(
            faults,
            path,
            f"`{shown(text)}` is no time; write a day such as 2026-11-01, or a time with its zone such as "
            f"2026-11-01T09:30:00Z{hint}",
        )
        return None

    def schema(self, schemas: Schemas) -> JSONObject:
        return {
            "oneOf": [{"type": "string", "format": "date"}, {"type": "string", "format": "date-time"}],
        }
