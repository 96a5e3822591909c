"""Faults that are found after the body was read, told in the body's own names."""

import re
from collections.abc import Mapping
from typing import Final

import attrs

from domain.errors import Fault, InvalidRequest

_HEAD: Final = re.compile(r"[^.\[]*")


class UnknownModel(InvalidRequest):
    """OpenAI has a status and a code of its own for it."""

    code = "model_not_found"


def in_the_bodys_names(error: InvalidRequest, names: Mapping[str, str], *, after: int = 0) -> InvalidRequest:
    """
    Args:
        names: field of the command → where the body has it; others have the same name in both.
        after: how many of the first faults are in the body's names already.
    """
    faults = (*error.faults[:after], *(_renamed(fault, names) for fault in error.faults[after:]))
    if faults and all(fault.path == "model" and fault.is_unknown_name for fault in faults):
        return UnknownModel.of(*faults)
    return type(error).of(*faults) if faults else error


def _renamed(fault: Fault, names: Mapping[str, str]) -> Fault:
    match = _HEAD.match(fault.path)
    head = fault.path if match is None else match[0]
    place = names.get(head)
    if place is None:
        return fault
    # A prompt that `model` names is a model to those who look it up there.
    is_unknown = fault.is_unknown_name or (head == "system_prompt" and place == "model")
    return attrs.evolve(fault, path=place + fault.path[len(head) :], is_unknown_name=is_unknown)
