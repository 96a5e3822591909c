"""What makes two versions the same."""

from domain.prompt.source import PromptSource
from domain.prompt.version import Pin


def content_hash(source: PromptSource, pins: tuple[Pin, ...]) -> str:
    """SHA-256 in hex over the canonical JSON of `source` and of each pin's `written` and hash.

    Where a text stands in a file, and the numbers of the fragments' versions, do not count.
    """
    raise NotImplementedError
