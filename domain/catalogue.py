"""The models that lor3 knows, and the names they go by."""

import datetime
import difflib
from collections.abc import Mapping

import attrs

from domain.errors import Fault, InvalidRequest
from domain.model import ModelRef, ModelSpec
from domain.values import frozen


@frozen(kw_only=True)
class Catalogue:
    """Resolves what a caller writes into a `ModelSpec`."""

    specs: Mapping[ModelRef, ModelSpec]
    aliases: Mapping[str, ModelRef]
    """Such as `claude:opus` → `anthropic:claude-opus-5-5`, or `fast` → any model."""
    provider_aliases: Mapping[str, str]
    """`claude` → `anthropic`."""
    providers: frozenset[str]
    """The configured ones."""
    reroute_retired: bool = False
    """Whether a retired model is served by its `replaced_by`."""
    _plain: Mapping[str, tuple[ModelRef, ...]] = attrs.field(init=False, eq=False, repr=False)
    """The name of a model alone, as `gpt-5-mini`, → those of configured providers that have it."""

    def __attrs_post_init__(self) -> None:
        plain: dict[str, tuple[ModelRef, ...]] = {}
        for ref in self.specs:
            if ref.provider in self.providers:
                plain[ref.model] = (*plain.get(ref.model, ()), ref)
        object.__setattr__(self, "_plain", plain)

    def resolve(self, text: str, *, today: datetime.date, path: str = "model") -> ModelSpec:
        """The model meant by `text`: `provider:model`, an alias, or the name alone of a listed model. A model outside the catalogue is passed on as it is, with unknown limits.

        Raises:
            InvalidRequest: malformed, or its provider is not configured; the message lists those that are.
        """
        ref = self.aliases.get(text)
        if ref is None and ":" not in text:
            ref = self._named(text, path)
        if ref is None:
            ref = ModelRef.parse(text, path=path)
            provider = self.provider_aliases.get(ref.provider)
            if provider is not None:
                ref = self.aliases.get(f"{provider}:{ref.model}", ModelRef(provider, ref.model))
        if ref.provider not in self.providers:
            raise InvalidRequest.of(
                Fault(path=path, message=self._unknown_provider(ref.provider), is_unknown_name=True)
            )
        spec = self.spec(ref)
        if self.reroute_retired and spec.replaced_by is not None and spec.is_retired(today):
            return self.spec(spec.replaced_by)
        return spec

    def _named(self, text: str, path: str) -> ModelRef | None:
        """The listed model of that name, without its provider."""
        found = self._plain.get(text, ())
        if len(found) > 1:
            names = ", ".join(f"`{ref}`" for ref in sorted(found))
            message = f"`{text}` is offered by several providers; write one of {names}"
            raise InvalidRequest.of(Fault(path=path, message=message, is_unknown_name=True))
        return found[0] if found else None

    def spec(self, ref: ModelRef) -> ModelSpec:
        """The catalogue's entry, or an open one for a model that it does not list."""
        return self.specs.get(ref) or ModelSpec(ref=ref, known=False)

    def _unknown_provider(self, name: str) -> str:
        configured = ", ".join(sorted(self.providers)) or "none"
        close = difflib.get_close_matches(name, sorted(self.providers), n=1)
        hint = f"; did you mean `{close[0]}`?" if close else ""
        return f"unknown provider `{name}`; configured: {configured}{hint}"
