"""A compiled prompt as bytes for others to read, and back: two lines of JSON, a header and the prompt."""

import hashlib
import json
import logging
from typing import Final

from domain.prompt.compiled import CompiledPrompt
from domain.prompt.compiled_codec import SCHEMA, from_json, to_json

MAX_BYTES: Final = 4 * 1024 * 1024
"""Compiled text has at most 256 KiB and 20,000 nodes; JSON escapes make the most of a byte six."""

_log: Final = logging.getLogger("lor3.prompts")


def packed(prompt: CompiledPrompt) -> bytes | None:
    """None where it is larger than `MAX_BYTES`, or holds what JSON can't."""
    try:
        payload = json.dumps(to_json(prompt), separators=(",", ":")).encode()
    except Exception as error:  # one that can't be written is no reason to stop writing the others
        _log.debug("a compiled prompt can't be written (%s)", type(error).__name__)
        return None
    header = json.dumps({"v": SCHEMA, "sha256": _checksum(payload)}).encode()
    value = header + b"\n" + payload
    return value if len(value) <= MAX_BYTES else None


def unpacked(value: object, content_hash: str) -> CompiledPrompt | None:
    """None for anything but what `packed` made of the prompt of that hash."""
    if not isinstance(value, bytes) or not value or len(value) > MAX_BYTES:
        return None
    first, _, payload = value.partition(b"\n")
    try:
        if json.loads(first) != {"v": SCHEMA, "sha256": _checksum(payload)}:
            return None
        prompt = from_json(json.loads(payload))
    except Exception as error:  # anybody may have written it, checksum included: it is compiled anew
        _log.debug("an entry of the prompt cache is not understood (%s)", type(error).__name__)
        return None
    return prompt if prompt is not None and prompt.hash == content_hash else None


def _checksum(payload: bytes) -> str:
    return hashlib.sha256(payload).hexdigest()
