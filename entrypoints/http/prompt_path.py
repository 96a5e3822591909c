"""The prompt, version or label that a path names."""

from typing import Final

from aiohttp import web

from domain.errors import InvalidRequest, NotFound
from domain.prompt.reference import (
    PromptName,
    PromptReference,
    VersionRef,
    label_name,
    prompt_name,
    version_number,
)
from domain.suggestion import shown
from domain.values import frozen
from entrypoints.http.checks import Faults, Text, fault
from entrypoints.http.prompt_checks import LABEL_TEXT, VersionText
from entrypoints.http.query import FlagText, IntegerText
from entrypoints.http.records import Record, given

MAX_PAGE: Final = 100


@frozen(kw_only=True)
class PageQuery:
    """Which part of a list."""

    cursor: str | None = given(
        Text(min_length=1, max_length=512),
        "`next_cursor` of the page before, as it came; the first page without.",
    )
    limit: int | None = given(IntegerText(minimum=1, maximum=MAX_PAGE), "Items on a page.", default=MAX_PAGE)


@frozen(kw_only=True)
class ShowQuery:
    """Which version of a prompt, and how."""

    version: int | None = given(
        VersionText(), "A version. At most one of `version` and `label`.", example="v3"
    )
    label: str | None = given(
        LABEL_TEXT,
        "The version that this label points to; of a rollout, the one with most weight; `latest`.",
        example="staging",
    )
    compiled: bool | None = given(
        FlagText(), "Adds the flat template, and all variables and fragments that it needs.", default=False
    )


PAGE: Final = Record(PageQuery)
SHOW: Final = Record(ShowQuery)


def name_in(request: web.Request) -> PromptName:
    """The prompt's name.

    Raises:
        NotFound: no prompt can have it.
    """
    text = request.match_info["name"]
    try:
        return prompt_name(text)
    except InvalidRequest:
        raise no_prompt(text) from None


def version_in(request: web.Request) -> VersionRef:
    """The version that the path names.

    Raises:
        NotFound: there can be none of it.
    """
    name = name_in(request)
    text = request.match_info["version"]
    try:
        return VersionRef(name, version_number(text))
    except InvalidRequest:
        raise NotFound(
            f"`{name}` has no version `{shown(text)}`; GET /prompts/{name}/versions lists those it has"
        ) from None


def label_in(request: web.Request) -> str:
    """The label that the path names.

    Raises:
        NotFound: there can be none of that name, or no such prompt.
    """
    name = name_in(request)
    text = request.match_info["label"]
    try:
        return label_name(text)
    except InvalidRequest:
        raise NotFound(
            f"`{name}` has no label `{shown(text)}`; GET /prompts/{name} shows those it has"
        ) from None


def reference_in(
    request: web.Request, *, version: int | None, label: str | None, faults: Faults
) -> PromptReference | None:
    """What the path (`name`, `name:v3` or `name@label`) and one more choice mean together; None with a fault.

    Raises:
        NotFound: no prompt can have that name.
    """
    text = request.match_info["name"]
    try:
        reference = PromptReference.parse(text)
    except InvalidRequest:
        raise no_prompt(text) from None
    chosen = [
        f"`{given}`"
        for given in (
            text if reference.version is not None or reference.label is not None else None,
            None if version is None else f"version v{version}",
            None if label is None else f"label {label}",
        )
        if given is not None
    ]
    if len(chosen) > 1:
        where = "label" if label is not None else "version"
        fault(faults, where, f"{' and '.join(chosen)} name a version each; give one of them")
        return None
    if chosen and (version is not None or label is not None):
        return PromptReference(name=reference.name, version=version, label=label)
    return reference


def no_prompt(text: str) -> NotFound:
    return NotFound(f"there is no prompt `{shown(text)}`; GET /prompts lists those there are")
