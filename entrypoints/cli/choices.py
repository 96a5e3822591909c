"""Values that are one of a few words."""

from collections.abc import Sequence


def one_of(text: str, choices: Sequence[str], *, path: str) -> str:
    """`text`, where it is one of them, in whatever case.

    Raises:
        Misused: it is none; names the one that is written most like it, and all.
    """
    from domain.suggestion import shown, suggestion
    from entrypoints.cli.misuse import misused

    word = text.strip().lower()
    if word in choices:
        return word
    raise misused(path, f"`{shown(text)}` is none of {', '.join(choices)}{suggestion(word, choices)}")
