"""Token counts by tiktoken, without the network."""

import math
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

import attrs

from adapters.tokens.rank_files import RANK_FILES, provide
from domain.message import Message
from domain.model import ModelSpec
from domain.passes.compiler_pass import TokenCount
from domain.passes.token_framing import framing_tokens, image_tokens

if TYPE_CHECKING:
    import tiktoken

_FALLBACK: Final = "o200k_base"
_CHUNK: Final = 100_000
"""Characters encoded at once: tiktoken's regular expressions give up on some runs of a million and more."""
_loading = threading.Lock()


@attrs.define
class TiktokenMeter:
    """Counts with the encoding that the spec names; a spec's `count_margin` is added and marks the count estimated.

    An encoding is loaded at its first count (0.4 s and 75 MB for o200k_base) and then kept by the process. An
    encoding that lor3 has no ranks for is counted as o200k_base, estimated. Special tokens in a text count as the
    plain text they are. A text is counted in chunks of 100,000 characters, which can add a token for each cut in
    a run without white space. Thread-safe; counting lets go of the GIL.

    Raises (from counting):
        RanksUnavailable: the ranks can't be unpacked anywhere.
    """

    _cache_dir: Path | None = None
    """Where to keep the ranks, before the user's cache directory."""
    _encodings: dict[str, "tiktoken.Encoding"] = attrs.field(factory=dict, init=False)

    def count_text(self, text: str, spec: ModelSpec) -> TokenCount:
        return _counted(self._tokens(text, spec), spec)

    def count_message(self, message: Message, spec: ModelSpec) -> TokenCount:
        tokens = framing_tokens(message) + self._tokens(message.text, spec)
        for image in message.images:
            tokens += image_tokens(image)
        for call in message.tool_calls:
            tokens += self._tokens(call.name, spec) + self._tokens(call.arguments, spec)
        return _counted(tokens, spec)

    def _tokens(self, text: str, spec: ModelSpec) -> int:
        if not text:
            return 0
        encoding = self._encodings.get(spec.encoding) or self._load(spec.encoding)
        if len(text) <= _CHUNK:
            return len(encoding.encode_ordinary(text))
        return sum(len(encoding.encode_ordinary(chunk)) for chunk in _chunks(text))

    def _load(self, name: str) -> "tiktoken.Encoding":
        ranks = name if name in RANK_FILES else _FALLBACK
        with _loading:
            import tiktoken

            directory = provide(ranks, self._cache_dir)
            before = os.environ.get("TIKTOKEN_CACHE_DIR")
            os.environ["TIKTOKEN_CACHE_DIR"] = str(directory)  # the only way to tell tiktoken
            try:
                encoding = tiktoken.get_encoding(ranks)
            finally:
                if before is None:
                    del os.environ["TIKTOKEN_CACHE_DIR"]
                else:
                    os.environ["TIKTOKEN_CACHE_DIR"] = before
        self._encodings[name] = encoding
        return encoding


def _counted(tokens: int, spec: ModelSpec) -> TokenCount:
    estimated = bool(spec.count_margin) or spec.encoding not in RANK_FILES
    if spec.count_margin:
        tokens = math.ceil(tokens * (1 + spec.count_margin))
    return TokenCount(tokens=tokens, estimated=estimated)


def _chunks(text: str) -> Iterator[str]:
    start = 0
    while start < len(text):
        end = start + _CHUNK
        if end < len(text):
            # A word begins with the space before it, so a cut there changes no count.
            space = text.rfind(" ", start + _CHUNK // 2, end)
            end = space if space > 0 else end
        yield text[start:end]
        start = end
