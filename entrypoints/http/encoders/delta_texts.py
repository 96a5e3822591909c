"""The texts of a batch, made into JSON at once: most of a stream is nothing else."""

from collections.abc import Sequence

from domain.answer import ChatEvent, Delta
from entrypoints.rendering import to_json_texts


def texts_in(events: Sequence[ChatEvent]) -> Sequence[bytes]:
    """Those of its deltas, in order, as JSON."""
    texts = [event.text for event in events if type(event) is Delta]
    return to_json_texts(texts) if texts else ()
