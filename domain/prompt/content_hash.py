"""What makes two versions the same."""

import hashlib
import json

from domain.prompt.document import write_source
from domain.prompt.source import PromptSource
from domain.prompt.version import Pin


def content_hash(source: PromptSource, pins: tuple[Pin, ...]) -> str:
    """SHA-256 in hex over the canonical JSON of `source` and of each pin's `written` and hash.

    Where a text stands in a file, and the numbers of the fragments' versions, do not count. Nor does whether a text
    without variables could declare some: it means the same, be it a plain file or a document.
    """
    content = {
        "source": write_source(source),
        # A list, unlike the document's object: the order of the variables is part of the source.
        "variables": [variable.name for variable in source.variables],
        "declares": source.declares or not source.variables,
        "pins": [[pin.written, pin.hash] for pin in pins],
    }
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=True, default=dict)
    return hashlib.sha256(canonical.encode("ascii")).hexdigest()
