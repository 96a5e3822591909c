"""Text that shall stay text in a template."""

from typing import Final

_OPEN: Final = "{{"
_LITERAL_OPEN: Final = '{{"{{"}}'
_LITERAL_BRACE: Final = '{{"{"}}'


def literal(text: str, *, before_tag: bool = False) -> str:
    """`text` as a template that renders as it.

    Args:
        before_tag: a tag follows at once, which a brace at the end would become a part of.
    """
    escaped = text.replace(_OPEN, _LITERAL_OPEN)
    if before_tag and escaped.endswith("{"):
        escaped = escaped[:-1] + _LITERAL_BRACE
    return escaped
