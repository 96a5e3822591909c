"""Values that are one of a few words."""

from collections.abc import Sequence


def one_of(text: str, choices: Sequence[str], *, path: str) -> str:
    """`text`, where it is one of them, in whatever case.

    Raises:
        InvalidRequest: it is none; names the one that is written most like it, and all.
    """
    from domain.errors import Fault, InvalidRequest
    from domain.suggestion import shown, suggestion

    word = text.strip().lower()
    if word in choices:
        return word
    raise InvalidRequest.of(
        Fault(
            path=path,
            message=f"`{shown(text)}` is none of {', '.join(choices)}{suggestion(word, choices)}",
        )
    )
