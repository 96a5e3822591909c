"""Asking a model once more for an answer that did not fit its format."""

import attrs

from application.services.run import Run
from domain.chat import ChatRequest
from domain.message import Message
from domain.output.formatter import Formatted


def asking_again(request: ChatRequest, run: Run, formatted: Formatted) -> ChatRequest:
    """The request with the answer and what is wrong with it."""
    problems = "\n".join(f"- {problem}" for problem in formatted.problems)
    complaint = (
        f"That answer is not usable as {request.format}:\n{problems}\n"
        "Answer the same request again, complete and corrected, with nothing around it."
    )
    retort = (Message.of("assistant", run.transcript.text or " "), Message.of("user", complaint))
    return attrs.evolve(request, messages=request.messages + retort)
