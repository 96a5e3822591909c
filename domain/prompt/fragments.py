"""The versions that a prompt includes, each read once."""

from collections.abc import Mapping

import attrs

from domain.prompt.nodes import Include, Open, Path, Value
from domain.prompt.reference import VersionRef
from domain.prompt.scope import may_bring_names
from domain.prompt.template import Template, parse
from domain.prompt.version import PromptVersion


@attrs.define
class Fragments:
    """What the compiler asks about fragments; every answer is kept."""

    _library: Mapping[VersionRef, PromptVersion]
    _pins: dict[VersionRef, dict[str, VersionRef]] = attrs.field(factory=dict, init=False)
    _templates: dict[VersionRef, Template] = attrs.field(factory=dict, init=False)
    _inside: dict[VersionRef, tuple[PromptVersion, ...]] = attrs.field(factory=dict, init=False)

    def pins(self, version: PromptVersion) -> Mapping[str, VersionRef]:
        """By what is written."""
        pins = self._pins.get(version.ref)
        if pins is None:
            pins = self._pins[version.ref] = {each.written: each.ref for each in version.pins}
        return pins

    def find(self, version: PromptVersion, written: str) -> PromptVersion | None:
        """The version that `written` means in `version`."""
        ref = self.pins(version).get(written)
        return None if ref is None else self._library.get(ref)

    def template(self, fragment: PromptVersion) -> Template:
        """Of its only turn."""
        template = self._templates.get(fragment.ref)
        if template is None:
            template = self._templates[fragment.ref] = parse(fragment.source.turns[0].template)
        return template

    def bring_names(self, fragment: PromptVersion) -> bool:
        """Whether it, or one in it, has sections whose items bring names."""
        return any(
            may_bring_names(self.template(each).nodes, each.source) for each in self._with_inner(fragment)
        )

    def used_names(self, fragment: PromptVersion) -> list[str]:
        """By itself and by those in it."""
        names: dict[str, None] = {}
        for each in self._with_inner(fragment):
            for node in self.template(each).nodes:
                paths = [node.path] if isinstance(node, Value | Open) else []
                if isinstance(node, Open | Include):
                    paths += [one.value.text for one in node.parameters if isinstance(one.value, Path)]
                names.update((path.partition(".")[0], None) for path in paths)
        names.pop("", None)  # the first name of `.`
        return list(names)

    def _with_inner(self, fragment: PromptVersion) -> tuple[PromptVersion, ...]:
        known = self._inside.get(fragment.ref)
        if known is None:
            found = {fragment.ref: fragment}
            ahead = [fragment]
            while ahead:
                for pin in ahead.pop().pins:
                    below = self._library.get(pin.ref)
                    if below is not None and pin.ref not in found:
                        found[pin.ref] = below
                        ahead.append(below)
            known = self._inside[fragment.ref] = tuple(found.values())
        return known
