"""How a prompt is named: `support_agent`, `support_agent:v3`, `support_agent@staging`."""

import re
from typing import Final, NewType

from domain.errors import Fault, InvalidRequest
from domain.suggestion import shown
from domain.values import frozen

PromptName = NewType("PromptName", str)

NAME_PATTERN: Final = r"[A-Za-z0-9_][A-Za-z0-9_.\-]{0,127}"
LABEL_PATTERN: Final = r"[a-z0-9][a-z0-9_\-]{0,63}"
PRODUCTION: Final = "production"
"""The label that a bare name means, where the prompt has it."""
LATEST: Final = "latest"
"""No label that can be moved: always the newest version."""
MAX_VERSION: Final = 2**31 - 1

_REFERENCE: Final = re.compile(
    rf"(?P<name>{NAME_PATTERN})(?::v(?P<version>[0-9]{{1,10}})|@(?P<label>{LABEL_PATTERN}))?\Z"
)
_LABEL: Final = re.compile(rf"{LABEL_PATTERN}\Z")
_VERSION: Final = re.compile(r"v(?P<number>[1-9][0-9]{0,9})\Z")
_LIKE_VERSION: Final = re.compile(r"v[0-9]+\Z")
_NAME: Final = re.compile(rf"{NAME_PATTERN}\Z")


@frozen
class VersionRef:
    """One version of one prompt, written `support_agent:v3`."""

    name: PromptName
    number: int
    """1, 2, 3 …"""

    def __str__(self) -> str:
        return f"{self.name}:v{self.number}"


@frozen(kw_only=True)
class PromptReference:
    """What a caller asks for: a name alone, or with a version or a label."""

    name: PromptName
    version: int | None = None
    label: str | None = None

    @classmethod
    def parse(cls, text: str, *, path: str = "system_prompt") -> "PromptReference":
        """
        Raises:
            InvalidRequest: `text` is none of the three forms; the fault is at `path`.
        """
        match = _REFERENCE.match(text)
        if match is None or (match["version"] is not None and not 1 <= int(match["version"]) <= MAX_VERSION):
            raise InvalidRequest.of(
                Fault(
                    path=path,
                    message=f"`{shown(text)}` is no prompt reference; write `name`, `name:v3` or `name@label`",
                )
            )
        version = match["version"]
        return cls(
            name=PromptName(match["name"]),
            version=None if version is None else int(version),
            label=match["label"],
        )

    def __str__(self) -> str:
        if self.version is not None:
            return f"{self.name}:v{self.version}"
        return f"{self.name}@{self.label}" if self.label is not None else self.name


def prompt_name(text: str, *, path: str = "name") -> PromptName:
    """
    Raises:
        InvalidRequest: `text` is no name that a prompt may have.
    """
    if _NAME.match(text) is None:
        raise InvalidRequest.of(
            Fault(
                path=path,
                message=f"`{shown(text)}` is no prompt name; letters, digits, `_`, `-` and `.`, at most 128",
            )
        )
    return PromptName(text)


def label_name(text: str, *, path: str = "label") -> str:
    """
    Raises:
        InvalidRequest: `text` is no label that can be moved.
    """
    if _LABEL.match(text) is None or text == LATEST or _LIKE_VERSION.match(text):
        raise InvalidRequest.of(
            Fault(
                path=path,
                message=f"`{shown(text)}` is no label; lower-case letters, digits, `_` and `-`, at most 64, "
                "and neither `latest` nor `v` and digits as a version",
            )
        )
    return text


def version_number(text: str, *, path: str = "version") -> int:
    """The number in `v3`.

    Raises:
        InvalidRequest: `text` is no version.
    """
    match = _VERSION.match(text)
    if match is None or int(match["number"]) > MAX_VERSION:
        raise InvalidRequest.of(Fault(path=path, message=f"`{shown(text)}` is no version; write `v3`"))
    return int(match["number"])
