"""The names of the `LOR3_…` variables, and which of them was meant by one that is none."""

import difflib
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, Final, get_args, get_origin

import attrs

from entrypoints.configuration.document import Document, ProviderDocument

PREFIX: Final = "LOR3_"


def did_you_mean_variable(name: str) -> str:
    """`; did you mean …?` with the variables' full names, or nothing where none is close.

    `LOR3_DATABASE_URL` lacks an underscore, `LOR3_PORT` its section.
    """
    known = _known()
    said = name.removeprefix(PREFIX).lower().replace("__", "_")
    meant = [known[said]] if said in known else _of_a_provider(said)
    if not meant:
        meant = [full for full in known.values() if full.lower().endswith(f"__{said}")]
    if not meant:
        meant = [known[each] for each in difflib.get_close_matches(said, known, n=1, cutoff=0.7)]
    return f"; did you mean {' or '.join(f'`{full}`' for full in meant)}?" if meant else ""


@cache
def _known() -> Mapping[str, str]:
    """Every variable of a fixed name, by that name in lower case with single underscores."""
    paths = _paths(Document, ())
    return {"_".join(path): PREFIX + "__".join(path).upper() for path in paths}


def _paths(cl: Any, above: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    for field in attrs.fields(cl):
        inner = next(each for each in get_args(field.type) if each is not type(None))
        if get_origin(inner) is None and attrs.has(inner):
            yield from _paths(inner, (*above, field.name))
        else:
            yield (*above, field.name)


def _of_a_provider(said: str) -> list[str]:
    """`providers_azure_eu_api_key` → `LOR3_PROVIDERS__AZURE_EU__API_KEY`."""
    rest = said.removeprefix("providers_")
    if rest == said:
        return []
    names = (field.name for field in attrs.fields(ProviderDocument) if not field.metadata.get("rest"))
    return [
        f"{PREFIX}PROVIDERS__{rest.removesuffix(f'_{name}')}__{name}".upper()
        for name in names
        if rest.endswith(f"_{name}")
    ]
