"""Prices of one's own, with the days on which they begin."""

from collections.abc import Sequence

import attrs

from application.ports.price_book import Price
from entrypoints.configuration.document import PriceDocument
from entrypoints.configuration.findings import Findings, render_path


def overrides(
    name: str, entries: Sequence[PriceDocument], findings: Findings, warnings: list[str]
) -> tuple[Price, ...]:
    """The prices of one model, the first to begin at the front; what is ambiguous is noted in `findings`, what is of no use in `warnings`.

    Args:
        name: of the model, as it is written in the file.
    """
    seen = set()
    for index, entry in enumerate(entries):
        at = ("prices", name, index) if len(entries) > 1 else ("prices", name)
        if entry.from_ in seen:
            findings.add(
                (*at, "from"),
                "another price begins on the same day; keep one"
                if entry.from_ is not None
                else "another price has no `from` either; say from which day on each of them holds",
            )
        seen.add(entry.from_)
        if entry.input_per_mtok is None or entry.output_per_mtok is None:
            missing = "input_per_mtok" if entry.input_per_mtok is None else "output_per_mtok"
            warnings.append(
                f"{render_path(at)}: has no `{missing}`, so nobody knows what an answer costs; add it"
            )
    prices = [
        Price(starts_on=entry.from_, **attrs.asdict(entry, filter=lambda field, _: field.name != "from_"))
        for entry in entries
    ]
    return tuple(sorted(prices, key=lambda price: (price.starts_on is not None, price.starts_on)))
