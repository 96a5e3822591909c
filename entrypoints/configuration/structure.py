"""From a tree of plain values to `Document`, strictly, with every fault found."""

import datetime
import math
from collections.abc import Callable, Mapping
from decimal import Decimal, InvalidOperation
from types import UnionType
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin

import attrs
import yaml
from cattrs import Converter, IterableValidationNote
from cattrs.errors import (
    BaseValidationError,
    ClassValidationError,
    ForbiddenExtraKeysError,
    IterableValidationError,
)
from cattrs.gen import make_dict_structure_fn, override

from entrypoints.configuration.document import Document, OneOrMore, ProviderDocument, Written, written_name
from entrypoints.configuration.findings import Findings, Path, did_you_mean
from entrypoints.configuration.limits import Unfit, check
from entrypoints.configuration.raw import YAML_ERRORS, Raw, Tree

_T = TypeVar("_T")
_Hook = Callable[[Any, Any], Any]


def structure(tree: dict[str, Tree], findings: Findings) -> Document:
    """The document in `tree`; what does not fit is noted in `findings` and left out."""
    _prune(tree, findings.paths)
    while True:
        try:
            return _CONVERTER.structure(tree, Document)
        except BaseValidationError as error:
            found = list(_unfold(error, ()))
            for path, message in found:
                findings.add(path, message)
            _prune(tree, tuple(path for path, _ in found))


def _unfold(error: Exception, path: Path) -> list[tuple[Path, str]]:
    """Every leaf of cattrs' tree of exceptions, with the path that the notes spell."""
    if isinstance(error, ClassValidationError):
        noted, others = error.group_exceptions()
        written = {field.name: written_name(field) for field in attrs.fields(error.cl)}
        found = [each for inner, note in noted for each in _unfold(inner, (*path, written[note.name]))]
        return found + [each for inner in others for each in _unfold(inner, path)]
    if isinstance(error, IterableValidationError):
        listed, rest = error.group_exceptions()
        found = [each for inner, index in listed for each in _unfold(inner, (*path, index.index))]
        return found + [each for inner in rest for each in _unfold(inner, path)]
    if isinstance(error, ForbiddenExtraKeysError):
        return [((*path, key), _unknown(key, error.cl)) for key in sorted(error.extra_fields)]
    if isinstance(error, Unfit):
        return [(path, str(error))]
    raise error


def _unknown(key: str, cl: type) -> str:
    known = [written_name(field) for field in attrs.fields(cl)]
    return f"unknown setting{did_you_mean(key, known) or '; known: ' + ', '.join(known)}"


def _prune(tree: Tree, paths: tuple[Path, ...]) -> None:
    """Takes the values at `paths` out of `tree`; list items from the end, so that positions stay true."""
    for path in sorted(set(paths), key=lambda each: [(isinstance(s, int), s) for s in each], reverse=True):
        node: Any = tree
        try:
            for step in path[:-1]:
                if isinstance(node[step], Raw):  # a list that a variable writes with commas goes as a whole
                    del node[step]
                    break
                node = node[step]
            else:
                del node[path[-1]]
        except (KeyError, IndexError, TypeError):
            continue  # something above it went already


def _read(value: object) -> object:
    """What the text of a `Raw` means in YAML; other values are themselves."""
    if not isinstance(value, Raw):
        return value
    try:
        return yaml.safe_load(value)
    except YAML_ERRORS:
        return str(value)


def _text(value: object, _: object) -> str:
    if not isinstance(value, str):
        raise Unfit("must be text; put it in quotes")
    return str(value)


def _integer(value: object, _: object) -> int:
    value = _read(value)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool):
        raise Unfit("must be a whole number")
    return value


def _number(value: object, _: object) -> float:
    value = _read(value)
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise Unfit("must be a number")
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise Unfit("must be a finite number")
    return number


def _boolean(value: object, _: object) -> bool:
    value = _read(value)
    if value in (0, 1) and not isinstance(value, bool | float):
        return bool(value)
    if not isinstance(value, bool):
        raise Unfit("must be true or false")
    return value


def _decimal(value: object, _: object) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise Unfit("must be a number")
    try:
        number = Decimal(str(value))
    except InvalidOperation as error:
        raise Unfit("must be a number") from error
    if not number.is_finite():
        raise Unfit("must be a finite number")
    return number


def _date(value: object, _: object) -> datetime.date:
    if isinstance(value, str):
        try:
            return datetime.date.fromisoformat(value)
        except ValueError as error:
            raise Unfit("must be a day, such as 2026-10-23") from error
    if not isinstance(value, datetime.date) or isinstance(value, datetime.datetime):
        raise Unfit("must be a day, such as 2026-10-23")
    return value


def _literal(value: object, target: Any) -> object:
    allowed = get_args(target)
    if value not in allowed or not isinstance(value, str):
        close = did_you_mean(value, allowed) if isinstance(value, str) else ""
        raise Unfit(f"must be one of {', '.join(allowed)}{close}")
    return str(value)


def _each(items: list[tuple[str | int, object]], target: Any) -> list[Any]:
    """All items structured, or all their faults."""
    made, errors = [], []
    for index, item in items:
        try:
            made.append(_CONVERTER.structure(item, target))
        except Exception as error:  # collected and raised below, whatever it is
            error.add_note(IterableValidationNote(f"at {index}", index, target))
            errors.append(error)
    if errors:
        raise IterableValidationError("", errors, list)
    return made


def _tuple(value: object, target: Any) -> tuple[Any, ...]:
    if isinstance(value, Raw):
        value = [Raw(item.strip()) for item in value.split(",") if item.strip()]
    if not isinstance(value, list):
        raise Unfit("must be a list")
    return tuple(_each(list(enumerate(value)), get_args(target)[0]))


def _mapping(value: object, target: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise Unfit("must hold values by name")
    _, inner = get_args(target)
    # `name:` with nothing after it is an entry with all its defaults.
    entries = [(key, {} if item is None and inner is not object else item) for key, item in value.items()]
    return dict(zip(value, _each(list(entries), inner), strict=True))


def _annotated(target: Any) -> _Hook:
    base, *rules = get_args(target)
    may_be_bare = any(isinstance(rule, OneOrMore) for rule in rules)
    written = next((rule for rule in rules if isinstance(rule, Written)), None)

    def hook(value: object, _: object) -> object:
        if written is not None and not isinstance(value, str):
            raise Unfit(written.must)
        if may_be_bare and not isinstance(value, list) and not (isinstance(value, Raw) and "," in value):
            return (_CONVERTER.structure(value, get_args(base)[0]),)
        made: Any = _CONVERTER.structure(value, base)
        for rule in rules:
            check(made, rule)
        return made

    return hook


def _class(cl: Any) -> _Hook:
    fields = {written_name(field) for field in attrs.fields(cl)}
    renamed: dict[str, Any] = {
        field.name: override(rename=written_name(field))
        for field in attrs.fields(cl)
        if written_name(field) != field.name
    }
    structured = make_dict_structure_fn(cl, _CONVERTER, _cattrs_forbid_extra_keys=True, **renamed)

    def hook(value: object, _: object) -> object:
        if not isinstance(value, dict):
            raise Unfit(f"must hold settings by name: {', '.join(sorted(fields))}")
        return structured(value, cl)

    return hook


def _provider() -> _Hook:
    known = [field.name for field in attrs.fields(ProviderDocument) if not field.metadata.get("rest")]
    structured = make_dict_structure_fn(
        ProviderDocument, _CONVERTER, _cattrs_forbid_extra_keys=True, options=override(omit=True)
    )

    def hook(value: object, _: object) -> ProviderDocument:
        if not isinstance(value, dict):
            raise Unfit(f"must hold settings by name: {', '.join(known)}")
        rest = {key: item for key, item in value.items() if key not in known}
        mistyped: list[Exception] = []
        for key in rest:
            # Options are the provider's own, but one that nearly spells a setting of ours is a typo.
            hint = did_you_mean(key, known, cutoff=0.8)
            if hint:
                error = Unfit(f"unknown setting{hint}")
                error.add_note(IterableValidationNote(f"at {key}", key, object))
                mistyped.append(error)
        document: ProviderDocument | None = None
        try:
            document = structured({key: value[key] for key in value if key in known}, ProviderDocument)
        except ClassValidationError as error:
            mistyped.append(error)
        if mistyped or document is None:
            raise IterableValidationError("", mistyped, ProviderDocument)
        return attrs.evolve(document, options={key: _plain(item) for key, item in rest.items()})

    return hook


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return _read(value)


def _json(value: Any, target: Any) -> Any:
    """Any JSON value; what a file's other values would become is not for this to guess."""
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, str):
        return str(value)
    if isinstance(value, float) and math.isfinite(value):
        return value
    if isinstance(value, list):
        return _each(list(enumerate(value)), target)
    if isinstance(value, dict):
        return dict(zip(value, _each(list(value.items()), target), strict=True))
    raise Unfit("must be text, a number, true, false, null, a list or an object; put dates in quotes")


def _origin_is(*origins: object) -> Callable[[Any], bool]:
    return lambda target: get_origin(target) in origins


def _converter() -> Converter:
    converter = Converter(detailed_validation=True, forbid_extra_keys=True)
    leaves: tuple[tuple[Any, _Hook], ...] = (
        (str, _text),
        (int, _integer),
        (float, _number),
        (bool, _boolean),
        (Decimal, _decimal),
        (datetime.date, _date),
    )
    for leaf, hook in leaves:
        converter.register_structure_hook(leaf, hook)
    converter.register_structure_hook_func(lambda target: target is object, _json)
    converter.register_structure_hook_func(_origin_is(Literal), _literal)
    converter.register_structure_hook_func(_origin_is(tuple), _tuple)
    converter.register_structure_hook_func(_origin_is(Mapping), _mapping)
    converter.register_structure_hook_func(_origin_is(Union, UnionType), _optional)
    converter.register_structure_hook_factory(_origin_is(Annotated), _annotated)
    converter.register_structure_hook_factory(attrs.has, _class)
    converter.register_structure_hook_factory(
        lambda target: target is ProviderDocument, lambda _: _provider()
    )
    return converter


def _optional(value: object, target: Any) -> object:
    if value is None:
        return None
    (inner,) = (each for each in get_args(target) if each is not type(None))
    return _CONVERTER.structure(value, inner)


_CONVERTER = _converter()
