"""A file of another tool, or one of lor3's own, read for `lor3 prompt import`."""

import asyncio
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

import attrs

from adapters.prompts.json_reader import read_json
from adapters.prompts.parsed import Malformed, Parsed
from adapters.prompts.prompt_file import SUFFIXES, TEXT_SUFFIXES, YAML_SUFFIXES, Broken, parse_prompt
from adapters.prompts.yaml_reader import read_yaml
from application.ports.prompt_documents import DocumentFormat
from domain.errors import Fault, InvalidRequest
from domain.json_value import JSONObject
from domain.prompt.formats.assistant import read_assistant
from domain.prompt.formats.dotprompt import read_dotprompt
from domain.prompt.formats.imported import ImportedPrompt
from domain.prompt.formats.langfuse import read_langfuse
from domain.prompt.source import Origin
from domain.values import frozen

_MAX_BYTES: Final = 1024 * 1024
_DOTPROMPT_SUFFIX: Final = ".prompt"
_OPENS_FRONT: Final = re.compile(r"---[ \t]*\n")
_FRONT: Final = re.compile(r"---[ \t]*\n(?P<yaml>.*?)^---[ \t]*(?:\n|\Z)", re.DOTALL | re.MULTILINE)


@frozen
class ForeignDocuments:
    """Reads them from the disk."""

    async def read(self, path: str, *, format: DocumentFormat, variables: bool) -> ImportedPrompt:  # noqa: A002
        return await asyncio.to_thread(_read, Path(path), format, variables)


def _read(path: Path, wanted: DocumentFormat, variables: bool) -> ImportedPrompt:
    content = _content(path)
    try:
        text = content.decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n")
    except UnicodeDecodeError as error:
        raise _refused(f"{path} is not UTF-8 text; save it as UTF-8") from error
    kind = _kind(path, text) if wanted == "auto" else wanted
    if kind == "dotprompt":
        return _dotprompt(path, text)
    if kind in ("json", "langfuse", "assistant"):
        return _json(path, content, text, wanted=kind, variables=variables)
    looks_like_json = text.lstrip().startswith("{")
    return _own(
        path, content, path.suffix if path.suffix in SUFFIXES else ".json" if looks_like_json else ".yaml"
    )


def _content(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            content = file.read(_MAX_BYTES + 1)
    except OSError as error:
        raise _refused(f"{path} can't be read: {error.strerror or type(error).__name__}") from error
    if len(content) > _MAX_BYTES:
        raise _refused(f"{path} is larger than 1 MiB; a prompt has at most 256 KiB of text")
    return content


def _kind(path: Path, text: str) -> str:
    """`dotprompt`, `lor3`, or `json` for one of three that only the content tells apart."""
    if path.suffix == _DOTPROMPT_SUFFIX:
        return "dotprompt"
    if path.suffix in YAML_SUFFIXES:
        return "lor3"
    if path.suffix not in TEXT_SUFFIXES and (path.suffix == ".json" or text.lstrip()[:1] in ("{", "[")):
        return "json"
    if _OPENS_FRONT.match(text):
        return "dotprompt"
    if path.suffix in TEXT_SUFFIXES:
        return "lor3"
    raise _refused(f"{path} is in no format that its name or its beginning tells; name it with --format")


def _own(path: Path, content: bytes, suffix: str) -> ImportedPrompt:
    try:
        source = parse_prompt(content, suffix=suffix, shown=str(path))
    except Broken as error:
        raise InvalidRequest.of(*error.faults) from error
    return ImportedPrompt(name=path.stem, source=source)


def _json(path: Path, content: bytes, text: str, *, wanted: str, variables: bool) -> ImportedPrompt:
    try:
        parsed = read_json(text)
    except Malformed as error:
        raise _malformed(error, path) from error
    document = parsed.value
    if isinstance(document, Mapping) and isinstance(document.get("data"), list | tuple):
        document = document["data"]
    if isinstance(document, list | tuple):
        raise _refused(f"{path} holds a list of {len(document)}; save each prompt in a file of its own")
    if not isinstance(document, Mapping):
        raise _refused(f"{path} holds no object; save a prompt as its tool exports it")
    if wanted == "assistant" or (wanted == "json" and document.get("object") == "assistant"):
        read = _placing(path, parsed, lambda: read_assistant(document, variables=variables))
    elif wanted == "langfuse" or (wanted == "json" and "prompt" in document):
        read = _placing(path, parsed, lambda: read_langfuse(document))
    else:
        return _own(path, content, ".json")
    return read if read.name else attrs.evolve(read, name=path.stem)


def _dotprompt(path: Path, text: str) -> ImportedPrompt:
    front: JSONObject = {}
    parsed = Parsed(value=None, spots={}, texts={}, values={}, lines=())
    body, line = text, 1
    if _OPENS_FRONT.match(text):
        match = _FRONT.match(text)
        if match is None:
            raise _refused(f"{path}: the front matter never ends; write `---` on a line of its own behind it")
        try:
            # The line break stands for the first `---`, so that lines count as in the file.
            parsed = read_yaml("\n" + match["yaml"])
        except Malformed as error:
            raise _malformed(error, path) from error
        if not isinstance(parsed.value, Mapping | None):
            raise _refused(f"{path}: the front matter holds no settings by name; write `input:` and so on")
        front = parsed.value or {}
        body, line = text[match.end() :], 1 + text.count("\n", 0, match.end())
    # `_tone.prompt` is a partial; `greet.formal.prompt` is a variant of `greet`, and a prompt of its own here.
    name = path.name.removesuffix(_DOTPROMPT_SUFFIX) if path.suffix == _DOTPROMPT_SUFFIX else path.stem
    is_partial = name.startswith("_")
    read = _placing(
        path,
        parsed,
        lambda: read_dotprompt(front, body, origin=Origin(file=str(path), line=line), is_partial=is_partial),
    )
    return read if read.name else attrs.evolve(read, name=name.removeprefix("_"))


def _placing(path: Path, parsed: Parsed, read: Callable[[], ImportedPrompt]) -> ImportedPrompt:
    """What `read` gives, with the file and the line in each of its faults."""
    try:
        return read()
    except InvalidRequest as error:
        raise InvalidRequest.of(*(_placed(fault, path, parsed) for fault in error.faults)) from error


def _placed(fault: Fault, path: Path, parsed: Parsed) -> Fault:
    if fault.message.startswith(str(path)):
        return fault
    flaw = parsed.flaw(fault.path, fault.message, at_value=True)
    return Fault(path="", message=flaw.sentence(str(path)))


def _malformed(error: Malformed, path: Path) -> InvalidRequest:
    return InvalidRequest.of(*(Fault(path="", message=flaw.sentence(str(path))) for flaw in error.flaws))


def _refused(message: str) -> InvalidRequest:
    return InvalidRequest.of(Fault(path="", message=message))
