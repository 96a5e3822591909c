"""The query of the route that previews a thread's memory."""

from typing import Final, Literal

from domain.values import frozen
from entrypoints.http.checks import Choice
from entrypoints.http.query import IntegerText
from entrypoints.http.records import Record, given

MAX_DEPTH: Final = 200


@frozen(kw_only=True)
class MemoryQuery:
    """As the next chat would be sent; as configured where it is left out."""

    context_depth: int | None = given(
        IntegerText(minimum=0, maximum=MAX_DEPTH), "How many of the thread's last messages to inject."
    )
    memory: Literal["window", "summary"] | None = given(
        Choice(("window", "summary")), "Whether a summary of the older messages goes in too."
    )


MEMORY: Final = Record(MemoryQuery)
