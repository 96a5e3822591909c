"""Puts fragments in their places, and finds out what every name means.

Longer than other files: what a name means hangs on all that is open around it, so the walk and its state are one.
"""

import contextlib
from collections.abc import Mapping
from typing import Final

import attrs

from domain.errors import Fault, InvalidRequest
from domain.prompt.compiled import CompiledPrompt, CompiledTurn
from domain.prompt.declarations import Declarations
from domain.prompt.fragments import Fragments
from domain.prompt.glue import Glue
from domain.prompt.nodes import Close, Include, Node, Open, Parameter, Path, Quoted, Text, Value
from domain.prompt.program_writer import ProgramWriter, TooMuch
from domain.prompt.reference import PromptName, VersionRef
from domain.prompt.scope import Constant, Meaning, Reference, Scope, Section
from domain.prompt.source import TurnRole, Variable
from domain.prompt.template import MAX_SECTION_DEPTH, parse
from domain.prompt.template_fault import MAX_FAULTS, Place, places
from domain.prompt.variable_types import expected, fits_type, is_falsy, misfit, printed
from domain.prompt.version import PromptVersion
from domain.suggestion import shown, suggestion

MAX_INCLUDE_DEPTH: Final = 10


class _Stop(Exception):
    """There is no point in looking for more faults."""


@attrs.define(kw_only=True)
class Flattening:
    """One compilation; recurses only into fragments, of which at most `MAX_INCLUDE_DEPTH` are inside one another."""

    version: PromptVersion
    library: Mapping[VersionRef, PromptVersion]
    absent: Mapping[str, str] | None = None
    """Of a prompt that can't be whole: what is wrong with fragments that can't be had, by what is written. Others
    are taken for fit then, and not looked into."""
    _declarations: Declarations = attrs.field(factory=Declarations, init=False)
    _faults: dict[tuple[str, str], Fault] = attrs.field(factory=dict, init=False)
    _reported: set[tuple[str | None, str, str]] = attrs.field(factory=set, init=False)
    """Undeclared names, each once a template."""
    _settled: set[tuple[VersionRef, bool, tuple[str, ...]]] = attrs.field(factory=set, init=False)
    """Uses of fragments whose open variables are declared: a fragment may be included thousands of times."""
    _known: Fragments = attrs.field(
        init=False, default=attrs.Factory(lambda self: Fragments(self.library), takes_self=True)
    )
    _fragments: dict[VersionRef, None] = attrs.field(factory=dict, init=False)
    _writer: ProgramWriter = attrs.field(factory=ProgramWriter, init=False)
    _glue: Glue = attrs.field(
        init=False, default=attrs.Factory(lambda self: Glue(self._writer), takes_self=True)
    )
    _depth: int = attrs.field(default=0, init=False)
    """Of sections and parameters, through all fragments."""
    _open_ended: int = attrs.field(default=0, init=False)
    """Sections around whose items may bring names."""
    _by_name: int = attrs.field(default=0, init=False)
    """`with`s around that are in the program, so that names are looked up while rendering."""

    def compile(self, path: str) -> CompiledPrompt:
        """Call it once, or `faults` in its place."""
        source = self.version.source
        turns = self._turns(path)
        if self._faults:
            raise InvalidRequest.of(*self._faults.values())
        return CompiledPrompt(
            ref=self.version.ref,
            hash=self.version.hash,
            turns=tuple(turns),
            variables=self._declarations.variables,
            fragments=tuple(self._fragments),
            is_chat=source.is_chat,
            untyped=self._declarations.untyped,
            deferred=self._declarations.deferred,
            warnings=self._glue.warnings,
        )

    def faults(self, path: str) -> tuple[Fault, ...]:
        """In the order of the text."""
        self._turns(path)
        return tuple(self._faults.values())

    def _turns(self, path: str) -> list[CompiledTurn]:
        source = self.version.source
        for variable in source.variables:
            self._declarations.declare(variable, str(self.version.name))
        turns: list[CompiledTurn] = []
        with contextlib.suppress(_Stop):
            turns.extend(
                self._turn(turn.role, place)
                for turn, place in zip(source.turns, places(source, path), strict=True)
            )
        return turns

    def _turn(self, role: TurnRole, place: Place) -> CompiledTurn:
        source = self.version.source
        declared = frozenset(each.name for each in source.variables) if source.declares else None
        template = parse(place.text)
        for at, message in template.faults:
            self._report(place, at, message)
        if not template.faults:
            scope = Scope(place=place, outer=None, declared=declared)
            try:
                self._walk(template.nodes, scope, self.version, (self.version.name,), "")
            except TooMuch as exc:
                self._add(Fault(path=place.path, message=str(exc)))
                raise _Stop from exc
        self._glue.end_turn()
        return CompiledTurn(role=role, program=self._writer.take())

    def _walk(
        self,
        nodes: tuple[Node, ...],
        scope: Scope,
        version: PromptVersion,
        names: tuple[PromptName, ...],
        indent: str,
    ) -> None:
        for node in nodes:
            self._writer.count()
            if indent and node.starts_line and not isinstance(node, Text):
                self._writer.text(indent)
            if isinstance(node, Text):
                self._glue.text(node.text)
                self._writer.text(_indented(node, indent) if indent else node.text)
            elif isinstance(node, Quoted):
                self._glue.text(node.text)
                self._writer.text(node.text)
            elif isinstance(node, Value):
                self._value(node, scope)
            elif isinstance(node, Open):
                scope = self._open(node, scope)
            elif isinstance(node, Close):
                scope = self._close(scope)
            else:
                inner = "" if node.indent is None else indent + node.indent
                self._include(node, scope, version, names, inner)

    # What names mean

    def _meaning(self, path: str, at: int, scope: Scope) -> Meaning | None:
        """None where a fault was reported."""
        if path == ".":
            section = next((each for each in reversed(scope.sections) if each.has_item), None)
            if section is None:
                self._report(
                    scope.place,
                    at,
                    "`.` is the item of a section, and there is no section around it; name a variable",
                )
                return None
            return section.constant or Reference("item", ".", section.item_type)
        if self._open_ended:
            return Reference("name", path)
        first, dot, _ = path.partition(".")
        if scope.may_use(first) is False:
            self._report_undeclared(first, at, scope)
            return None
        meaning = scope.bound_to(first)
        if meaning is None:
            self._declarations.use_untyped(first, scope.place.fragment or str(self.version.name))
            meaning = Reference("root", first, self._declarations.get(first))
        if dot and meaning.type is not None and meaning.type.type != "object":
            self._report(
                scope.place,
                at,
                f"`{first}` is {expected(meaning.type)}, which has no parts; "
                + (
                    f"go through it: `{{{{#{first}}}}}…{{{{/{first}}}}}`"
                    if meaning.type.type == "list"
                    else "declare it as an object, or name a variable that is one"
                ),
            )
            return None
        if self._by_name:
            return Reference("name", path, None if dot else meaning.type)
        if isinstance(meaning, Constant) or not dot:
            return meaning
        return Reference(meaning.how, f"{meaning.path}{path[len(first) :]}")

    def _report_undeclared(self, name: str, at: int, scope: Scope) -> None:
        key = (scope.place.fragment, scope.place.path, name)
        if key in self._reported:
            return
        self._reported.add(key)
        remedy = suggestion(name, scope.known()) or "; declare it under `variables`"
        if name == "else":
            remedy = "; what is shown otherwise is a section of its own: `{{^name}}…{{/name}}`"
        elif name == "this":
            remedy = "; the item of a section is `{{.}}`"
        self._report(scope.place, at, f"`{name}` is not declared{remedy}")

    # Tags

    def _value(self, node: Value, scope: Scope) -> None:
        meaning = self._meaning(node.path, node.at, scope)
        self._glue.value()
        if isinstance(meaning, Constant):
            self._writer.text(printed(meaning.value))
        elif meaning is not None:
            self._writer.put("value", meaning.how, meaning.path)

    def _open(self, node: Open, scope: Scope) -> Scope:
        self._deepen(node.at, scope)
        if node.kind == "with":
            bound = self._bound(node.parameters, scope)
            section = Section(index=self._writer.put("with", _named(bound)), is_by_name=True)
            scope = Scope(place=scope.place, outer=scope, bound=bound, sections=scope.sections)
        else:
            is_section = node.kind == "section"
            meaning = self._meaning(node.path, node.at, scope)
            if isinstance(meaning, Constant):
                is_live = is_falsy(meaning.value) is not is_section
                section = Section(has_item=is_section, constant=meaning, is_muted=not is_live)
            elif meaning is None:
                # One fault is enough: what is inside may use any name.
                section = Section(has_item=is_section, is_open_ended=True)
            else:
                section = Section(
                    index=self._writer.put(node.kind, meaning.how, meaning.path),
                    has_item=is_section,
                    is_open_ended=is_section and not meaning.is_scalar,
                    item_type=meaning.type if meaning.is_scalar else None,
                    repeats_from=self._writer.writes
                    if is_section and meaning.type is not None and meaning.type.type == "list"
                    else None,
                )
        scope.sections.append(section)
        self._writer.muted += section.is_muted
        self._open_ended += section.is_open_ended
        self._by_name += section.is_by_name
        return scope

    def _close(self, scope: Scope) -> Scope:
        section = scope.sections.pop()
        self._depth -= 1
        if section.repeats_from is not None:
            self._glue.repeat(section.repeats_from)
        self._writer.muted -= section.is_muted
        self._open_ended -= section.is_open_ended
        self._by_name -= section.is_by_name
        self._writer.end(section.index)
        if section.is_by_name and scope.outer is not None:
            return scope.outer
        return scope

    def _include(
        self,
        node: Include,
        scope: Scope,
        version: PromptVersion,
        names: tuple[PromptName, ...],
        indent: str,
    ) -> None:
        fragment = self._fragment(node, scope, version, names)
        if fragment is None:
            if self.absent is not None:
                self._bound(node.parameters, scope)
            return
        template = self._known.template(fragment)
        source = fragment.source
        place = attrs.evolve(places(source, "")[0], path=scope.place.path, fragment=str(fragment.ref))
        self._fragments[fragment.ref] = None
        for at, message in template.faults:
            self._report(place, at, message)
        if template.faults:
            return
        bound = self._arguments(node, scope, fragment)
        is_by_name = bool(bound) and bool(
            self._open_ended or self._by_name or self._known.bring_names(fragment)
        )
        index = None
        if is_by_name:
            self._deepen(node.at, scope)
            index = self._writer.put("with", _named(bound))
        self._by_name += is_by_name
        inner = Scope(
            place=place,
            outer=scope,
            bound=bound,
            declared=frozenset(each.name for each in source.variables) if source.declares else None,
        )
        before = self._writer.writes
        self._walk(template.nodes, inner, fragment, (*names, fragment.name), indent)
        if node.indent is not None:
            self._glue.include(before, scope.place, node, fragment.ref)
        self._by_name -= is_by_name
        self._depth -= is_by_name
        self._writer.end(index)

    def _fragment(
        self, node: Include, scope: Scope, version: PromptVersion, names: tuple[PromptName, ...]
    ) -> PromptVersion | None:
        if self.absent is not None:
            if node.written in self.absent and (None, "", node.written) not in self._reported:
                self._reported.add((None, "", node.written))
                self._report(scope.place, node.at, self.absent[node.written])
            return None
        name = PromptName(node.written.partition("@")[0].partition(":")[0])
        if name in names:
            circle = " → ".join((*names[names.index(name) :], name))
            self._report(
                scope.place, node.at, f"a prompt can't include itself: {circle}; take one of the steps out"
            )
            return None
        if len(names) > MAX_INCLUDE_DEPTH:
            way = " → ".join((*names, name))
            self._report(
                scope.place,
                node.at,
                f"fragments are included more than {MAX_INCLUDE_DEPTH} deep: {way}; join some of them",
            )
            return None
        fragment = self._known.find(version, node.written)
        if fragment is None:
            self._report(
                scope.place,
                node.at,
                f"there is no prompt `{shown(node.written)}` to include"
                f"{suggestion(node.written, self._known.pins(version)) or '; make it first, or name one that exists'}",
            )
            return None
        turns = fragment.source.turns
        if len(turns) != 1 or turns[0].role != "system":
            self._report(
                scope.place,
                node.at,
                f"`{fragment.ref}` is a chat of {len(turns)} turns; only a prompt that is one system text can be included",
            )
            return None
        return fragment

    # Parameters

    def _bound(self, parameters: tuple[Parameter, ...], scope: Scope) -> dict[str, Meaning]:
        bound: dict[str, Meaning] = {}
        for each in parameters:
            meaning = (
                self._meaning(each.value.text, each.at, scope)
                if isinstance(each.value, Path)
                else Constant(each.value)
            )
            bound[each.name] = meaning or Reference("name", each.name)
        return bound

    def _arguments(self, node: Include, scope: Scope, fragment: PromptVersion) -> dict[str, Meaning]:
        """What the parameters of the tag mean; checks them, and declares what they leave open."""
        source = fragment.source
        declared = {variable.name: variable for variable in source.variables}
        bound = self._bound(node.parameters, scope)
        known = list(declared) if source.declares or not bound else self._known.used_names(fragment)
        for parameter in node.parameters:
            if parameter.name not in known:
                self._report(
                    scope.place,
                    parameter.at,
                    f"`{fragment.ref}` has no parameter `{parameter.name}`{suggestion(parameter.name, known)}"
                    f"; it has: {', '.join(f'`{each}`' for each in known[:20]) or 'none'}",
                )
            elif (variable := declared.get(parameter.name)) is not None:
                self._fit(variable, bound[parameter.name], parameter.at, scope, fragment)
                meaning = bound[parameter.name]
                if isinstance(meaning, Reference):
                    bound[parameter.name] = attrs.evolve(meaning, type=variable)
        settled = (fragment.ref, self._open_ended > 0, tuple(bound))
        if source.declares and not (settled in self._settled and not scope.binds):
            self._settled.add(settled)
            for name, variable in declared.items():
                if name in bound:
                    continue
                outer = scope.bound_to(name)
                if outer is not None:
                    self._fit(variable, outer, node.at, scope, fragment)
                    continue
                wrong = self._declarations.need(variable, str(fragment.ref), deferred=self._open_ended > 0)
                if wrong is not None:
                    self._report(scope.place, node.at, wrong)
        return bound

    def _fit(
        self, variable: Variable, meaning: Meaning, at: int, scope: Scope, fragment: PromptVersion
    ) -> None:
        what = f"the parameter `{variable.name}` of `{fragment.ref}`"
        if isinstance(meaning, Constant):
            if wrong := misfit(variable, meaning.value):
                self._report(scope.place, at, f"{what} {wrong}")
        elif meaning.type is not None and not fits_type(meaning.type, variable):
            self._report(
                scope.place,
                at,
                f"{what} must be {expected(variable)}, and `{shown(meaning.path)}` is {expected(meaning.type)}; "
                "declare them alike",
            )

    # Limits and faults

    def _deepen(self, at: int, scope: Scope) -> None:
        self._depth += 1
        if self._depth == MAX_SECTION_DEPTH + 1:
            self._report(
                scope.place,
                at,
                f"with its fragments the prompt has sections nested deeper than {MAX_SECTION_DEPTH}; flatten it",
            )

    def _report(self, place: Place, at: int, message: str) -> None:
        self._add(place.fault(at, message))

    def _add(self, fault: Fault) -> None:
        self._faults[fault.path, fault.message] = fault
        if len(self._faults) >= MAX_FAULTS:
            raise _Stop


def _indented(node: Text, indent: str) -> str:
    """Its lines with `indent` in front; the line that begins after its last newline is the next node's."""
    text = node.text.replace("\n", f"\n{indent}")
    if node.text.endswith("\n"):
        text = text.removesuffix(indent)
    return f"{indent}{text}" if node.starts_line else text


def _named(bound: Mapping[str, Meaning]) -> tuple[tuple[str, str, object], ...]:
    return tuple(
        (name, "const", meaning.value) if isinstance(meaning, Constant) else (name, meaning.how, meaning.path)
        for name, meaning in bound.items()
    )
