"""Which version a reference means."""

import math
from hashlib import blake2b
from typing import Final

from domain.prompt.reference import LATEST, PRODUCTION, PromptReference
from domain.prompt.version import Prompt, Weights

_SPAN: Final = 2.0**64


def choose_version(prompt: Prompt, reference: PromptReference, *, key: str) -> int | None:
    """The number of the version that `reference` means; None where the prompt has no such label.

    A bare name means the label `production`, else the newest version. That a numbered version exists is not
    checked here.

    Args:
        key: whoever must see the same version each time, such as a thread's id.
    """
    weights = _meant(prompt, reference)
    if weights is None or len(weights) == 1:
        return None if weights is None else weights[0][0]
    return _pick(weights, f"{prompt.tenant}\n{prompt.name}\n{reference.label or PRODUCTION}\n{key}")


def label_meant(prompt: Prompt, reference: PromptReference) -> str | None:
    """The label by which `reference` chooses its version: the one it names, or `production` where a bare name means it.

    None for a number, for `latest`, and for a bare name that means the newest version.
    """
    label = reference.label
    if label is not None:
        return None if label == LATEST else label
    if reference.version is not None or prompt.label(PRODUCTION) is None:
        return None
    return PRODUCTION


def heaviest_version(prompt: Prompt, reference: PromptReference) -> int | None:
    """The one version that `reference` means to an editor, whoever asks: of a rollout the one with most weight,
    the older one of equals. Else as `choose_version`.
    """
    weights = _meant(prompt, reference)
    return None if weights is None else max(weights, key=lambda each: (each[1], -each[0]))[0]


def _meant(prompt: Prompt, reference: PromptReference) -> Weights | None:
    if reference.version is not None:
        return ((reference.version, 1),)
    if reference.label == LATEST:
        return ((prompt.latest, 1),)
    label = prompt.label(reference.label or PRODUCTION)
    if label is not None:
        return label.weights
    return ((prompt.latest, 1),) if reference.label is None else None


def _pick(weights: Weights, key: str) -> int:
    """Weighted rendezvous hashing: a change of weights moves as few keys as it can.

    Each version draws -ln(u)/weight with u from the hash of key and version; the smallest draw wins, which
    is version i with probability weight i / sum (Schindelhauer and Schomaker, "Weighted Distributed Hash
    Tables", 2005, logarithmic method).
    """

    def draw(number: int, weight: int) -> float:
        digest = blake2b(f"{key}\nv{number}".encode("utf-8", "surrogatepass"), digest_size=8).digest()
        uniform = (int.from_bytes(digest, "big") + 1) / (_SPAN + 1)
        return -math.log(uniform) / weight

    return min(weights, key=lambda each: draw(*each))[0]
