"""The model catalogue: what ships with lor3, with the file's models and aliases laid over it."""

import datetime
from collections.abc import Mapping
from functools import cache
from typing import Any

import attrs
import yaml

from domain.catalogue import Catalogue
from domain.errors import InvalidRequest
from domain.json_value import JSONValue
from domain.model import ModelRef, ModelSpec
from domain.values import frozen
from entrypoints.configuration.document import ModelDocument
from entrypoints.configuration.findings import Findings, Path
from entrypoints.resources import resource


@frozen(kw_only=True)
class Shipped:
    """`config/models.yaml`."""

    provider_aliases: Mapping[str, str]
    aliases: Mapping[str, ModelRef]
    specs: Mapping[ModelRef, ModelSpec]
    defaults: Mapping[str, str]
    """The model that stands in for a provider where no primary is configured."""


@cache
def shipped() -> Shipped:
    """The catalogue that lor3 ships with, read once."""
    # libyaml is six times as fast where PyYAML was built with it; both loaders make plain data only.
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    text = resource("config/models.yaml").read_text("utf-8")
    data: dict[str, Any] = yaml.load(text, Loader=loader)  # noqa: S506 - a safe loader either way
    return Shipped(
        provider_aliases=data["provider_aliases"],
        aliases={name: ModelRef.parse(target) for name, target in data["aliases"].items()},
        specs={
            ref: _spec(ref, entry)
            for ref, entry in ((ModelRef.parse(name), entry) for name, entry in data["models"].items())
        },
        defaults=data["defaults"],
    )


def _spec(ref: ModelRef, entry: dict[str, Any]) -> ModelSpec:
    given = dict(entry)
    if "capabilities" in given:
        given["capabilities"] = frozenset(given["capabilities"])
    if given.get("replaced_by"):
        given["replaced_by"] = ModelRef.parse(given["replaced_by"])
    return ModelSpec(ref=ref, **given)


def build_catalogue(
    *,
    kinds: Mapping[str, str],
    models: Mapping[str, ModelDocument],
    aliases: Mapping[str, str],
    reroute_retired: bool,
    today: datetime.date,
    findings: Findings,
) -> Catalogue:
    """The catalogue for the providers in `kinds` (name → kind).

    A provider under another name than its kind (`azure-eu: {kind: openai}`) has its kind's models and aliases.
    """
    base = shipped()
    provider_aliases = {name: to for name, to in base.provider_aliases.items() if name not in kinds}
    specs: dict[ModelRef, ModelSpec] = {}
    names: dict[str, ModelRef] = {}
    for provider, kind in kinds.items():
        spellings = {kind, *(alias for alias, to in base.provider_aliases.items() if to == kind)}
        for ref, spec in base.specs.items():
            if ref.provider == kind:
                own = ModelRef(provider, ref.model)
                replaced_by = spec.replaced_by
                if replaced_by is not None and replaced_by.provider == kind:
                    replaced_by = ModelRef(provider, replaced_by.model)
                specs[own] = attrs.evolve(spec, ref=own, replaced_by=replaced_by)
        for name, target in base.aliases.items():
            if target.provider == kind:
                prefix, colon, rest = name.partition(":")
                if provider == kind:
                    names[name] = target
                if colon and prefix in spellings:
                    names[f"{provider}:{rest}"] = ModelRef(provider, target.model)
    catalogue = Catalogue(
        specs=specs,
        aliases=names,
        provider_aliases=provider_aliases,
        providers=frozenset(kinds),
        reroute_retired=False,
    )
    for name, entry in models.items():
        named = resolve(catalogue, name, ("models", name), today, findings)
        if named is not None:
            known = specs.get(named) or ModelSpec(ref=named)
            specs[named] = _corrected(catalogue, known, entry, name, today, findings)
    _own_aliases(catalogue, names, aliases, today, findings)
    return attrs.evolve(catalogue, reroute_retired=reroute_retired)


def resolve(
    catalogue: Catalogue, text: str, path: Path, today: datetime.date, findings: Findings
) -> ModelRef | None:
    """The model meant by `text`, or a fault at `path` and None."""
    try:
        return catalogue.resolve(text, today=today).ref
    except InvalidRequest as error:
        if not findings.has(path):
            findings.add(path, "; ".join(fault.message for fault in error.faults))
        return None


def _corrected(
    catalogue: Catalogue,
    spec: ModelSpec,
    entry: ModelDocument,
    name: str,
    today: datetime.date,
    findings: Findings,
) -> ModelSpec:
    given = attrs.asdict(entry, filter=lambda _, value: value is not None, recurse=False)
    if entry.capabilities is not None:
        given["capabilities"] = frozenset(entry.capabilities)
    if entry.replaced_by is not None:
        given["replaced_by"] = resolve(
            catalogue, entry.replaced_by, ("models", name, "replaced_by"), today, findings
        )
    return attrs.evolve(spec, known=True, **given)


def _own_aliases(
    catalogue: Catalogue,
    names: dict[str, ModelRef],
    aliases: Mapping[str, str],
    today: datetime.date,
    findings: Findings,
) -> None:
    """Adds the file's aliases to `names`, which `catalogue` reads too; one may name another, in any order."""
    left = dict(aliases)
    progress = True
    while left and progress:
        progress = False
        for name, target in list(left.items()):
            if target in left and target != name:
                continue  # wait for the other one
            if target == name:
                break
            ref = resolve(catalogue, target, ("aliases", name), today, findings)
            if ref is not None:
                names[name] = ref
            del left[name]
            progress = True
    for name in left:
        findings.add(("aliases", name), "leads back to itself; name a model as `provider:model`")


def as_written(model: ModelDocument) -> dict[str, JSONValue]:
    """What the user says of a model, as JSON values."""
    said = attrs.asdict(model, filter=lambda _, value: value is not None, recurse=False)
    if model.capabilities is not None:
        said["capabilities"] = list(model.capabilities)
    if model.retired_on is not None:
        said["retired_on"] = model.retired_on.isoformat()
    return said
