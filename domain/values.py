"""How values are declared: by what they hold, and never changed once made."""

from typing import TYPE_CHECKING, Any

import attrs

if TYPE_CHECKING:
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
