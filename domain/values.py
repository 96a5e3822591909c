"""How values are declared: by what they hold, and never changed once made."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, ParamSpec, TypeAlias, TypeVar

import attrs

P = ParamSpec("P")
T = TypeVar("T")

_Copy: TypeAlias = Callable[[Any], Any]

_FACTORY: Final[Any] = attrs.Factory
"""A class, which its types call a function."""

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


def maker(cls: Callable[P, T]) -> Callable[P, T]:
    """The class as a plain function, in less than half of the time: called by the same names, with the same defaults.

    CPython 3.11 packs the keywords of a call to a class into a dict, and unpacks them for its `__init__`; those of a
    function go into its frame as they are. Worth it for what each chat makes.
    """
    assert isinstance(cls, type)  # noqa: S101 - a class is a callable to the type checker, for its signature's sake
    fields = attrs.fields(cls)
    is_mixed = len({each.kw_only for each in fields}) > 1
    if is_mixed or not _is_plain(cls) or not all(each.init and not _takes_self(each) for each in fields):
        return cls
    demanded: list[str] = []
    usual: list[str] = []
    lines: list[str] = []
    made: dict[str, Any] = {"cls": cls, "blank": object.__new__, "NOTHING": attrs.NOTHING}
    for each in fields:
        name, default = each.alias, each.default
        made[f"usual_{name}"] = default.factory if isinstance(default, _FACTORY) else default
        parameter, value = name, name
        if isinstance(default, _FACTORY):
            parameter, value = f"{name}=NOTHING", f"usual_{name}() if {name} is NOTHING else {name}"
        elif default is not attrs.NOTHING:
            parameter = f"{name}=usual_{name}"
        (demanded if parameter is name else usual).append(parameter)
        lines.append(f"    new.{each.name} = {value}")
    parameters = ", ".join(demanded + usual)  # not keyword-only: their defaults are looked up one by one
    text = "\n".join([f"def make({parameters}):", "    new = blank(cls)", *lines, "    return new"])
    code = compile(text, f"<maker of {cls.__module__}.{cls.__qualname__}>", "exec")
    exec(code, made)  # noqa: S102 - of names of fields alone
    make: Callable[P, T] = made["make"]
    return make


def _takes_self(field: "attrs.Attribute[Any]") -> bool:
    return isinstance(field.default, _FACTORY) and bool(field.default.takes_self)


def _is_plain(cls: type) -> bool:
    """Whether a value of it is its fields, as they were given."""
    if any(each.converter is not None or each.validator is not None for each in attrs.fields(cls)):
        return False
    hooks = ("__attrs_post_init__", "__attrs_pre_init__", "_attrs_cached_hash")
    return not cls.__dictoffset__ and not any(hasattr(cls, name) for name in hooks)


def _copy_of(cls: type) -> _Copy | None:
    """A function that copies field by field, written as attrs writes constructors."""
    fields = attrs.fields(cls)
    if not _is_plain(cls) or not all(each.init and each.alias == each.name for each in fields):
        return None
    lines = [f"    new.{each.name} = old.{each.name}" for each in fields]
    made: dict[str, Any] = {"cls": cls, "blank": object.__new__}
    text = "\n".join(["def copy(old):", "    new = blank(cls)", *lines, "    return new"])
    exec(text, made)  # noqa: S102 - of names of fields alone
    copy: _Copy = made["copy"]
    return copy
