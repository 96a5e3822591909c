"""How values are declared: by what they hold, and never changed once made."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import attrs

_Copy: TypeAlias = Callable[[Any], Any]

_COPIES: Final[dict[type, _Copy | None]] = {}
"""None for classes of which a copy is more than the same fields."""

if TYPE_CHECKING:
    from attrs import evolve as evolve
    from attrs import frozen as frozen
else:

    def frozen(cls: type | None = None, /, **options: Any) -> Any:
        """`attrs.frozen` to the type checker, which refuses every assignment; nothing refuses it at run time.

        A chat makes some eighty values. What attrs does to keep each field from being assigned to goes through a
        call a field when the value is made, more than half of its time (ADR 0037).
        """
        if cls is not None:
            return frozen()(cls)
        # A class that is made anew is hashable by its fields, as attrs' own frozen classes are; one without
        # equality keeps its identity's hash.
        hashed = {} if options.get("eq") is False else {"unsafe_hash": True}
        return attrs.define(on_setattr=attrs.setters.NO_OP, **hashed, **options)

    def evolve(value: Any, /, **changes: Any) -> Any:
        """`attrs.evolve`, in a quarter of the time: what stays the same is copied, not given to the constructor.

        Worth it where each chat does it. Which fields there are is for the type checker to see to.
        """
        cls = type(value)
        if cls not in _COPIES:
            _COPIES[cls] = _copy_of(cls)
        copy = _COPIES[cls]
        if copy is None:
            return attrs.evolve(value, **changes)
        changed = copy(value)
        for name, field in changes.items():
            setattr(changed, name, field)
        return changed


def _copy_of(cls: type) -> _Copy | None:
    """A function that copies field by field, written as attrs writes constructors."""
    fields = attrs.fields(cls)
    is_plain = all(
        each.init and each.alias == each.name and each.converter is None and each.validator is None
        for each in fields
    )
    has_more = cls.__dictoffset__ or any(
        hasattr(cls, name) for name in ("__attrs_post_init__", "__attrs_pre_init__", "_attrs_cached_hash")
    )
    if not is_plain or has_more:
        return None
    lines = [f"    new.{each.name} = old.{each.name}" for each in fields]
    made: dict[str, Any] = {"cls": cls, "blank": object.__new__}
    text = "\n".join(["def copy(old):", "    new = blank(cls)", *lines, "    return new"])
    exec(text, made)  # noqa: S102 - of names of fields alone
    copy: _Copy = made["copy"]
    return copy
