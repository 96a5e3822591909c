"""Settings from the environment: `LOR3_DATABASE__URL` is `database.url`."""

import re
from collections.abc import Iterable, Mapping

import yaml

from entrypoints.configuration.findings import Findings, Path
from entrypoints.configuration.raw import YAML_ERRORS, Raw, Tree
from entrypoints.configuration.variables import PREFIX, did_you_mean_variable

_OTHERS = ("LOR3_CONFIG", "LOR3_TEST_", "LOR3_BENCH_")
# Kubernetes sets these for every pod beside a Service called `lor3`; LOR3_PORT then is tcp://10.0.0.1:3000.
_KUBERNETES = re.compile(
    r"LOR3_(SERVICE_HOST=|SERVICE_PORT(_\w+)?=|PORT_\d+_(TCP|UDP|SCTP)(_\w+)?=|PORT=(tcp|udp|sctp)://)"
)


def overlay(
    tree: dict[str, Tree],
    environ: Mapping[str, str],
    top_level: Iterable[str],
    findings: Findings,
    warnings: list[str],
) -> None:
    """Lays the `LOR3_…` variables over `tree`, in place; empty ones count as unset.

    A variable whose first part is no setting is warned of and left alone: it may be another program's.
    """
    known = tuple(top_level)
    for name in sorted(environ):
        text = environ[name]
        if not name.startswith(PREFIX) or name.startswith(_OTHERS) or text == "":
            continue
        steps = tuple(step.lower() for step in name.removeprefix(PREFIX).split("__"))
        if steps[0] not in known:
            if not _KUBERNETES.match(f"{name}={text}"):
                hint = did_you_mean_variable(name)
                warnings.append(f"the environment variable {name} is no setting and is ignored{hint}")
            continue
        if not all(steps):
            findings.add((name,), "is no setting: two underscores stand between two names")
            continue
        assign(tree, steps, _value(name, text, findings), name, findings)


def assign(
    tree: dict[str, Tree], steps: tuple[str, ...], value: Tree, origin: str, findings: Findings
) -> None:
    """Sets the value at `steps` and notes its origin; mappings merge, everything else is replaced."""
    path: Path = ()
    node = tree
    for step in steps[:-1]:
        key = _existing(node, step)
        path = (*path, key)
        below = node.get(key)
        if not isinstance(below, dict):
            below = node[key] = {}
        node = below
    key = _existing(node, steps[-1])
    _merge(node, key, value, (*path, key), origin, findings)


def _merge(node: dict[str, Tree], key: str, value: Tree, path: Path, origin: str, findings: Findings) -> None:
    if isinstance(value, dict) and isinstance(node.get(key, {}), dict):
        below = node.setdefault(key, {})
        assert isinstance(below, dict)  # noqa: S101 - for the type checker: tested a line above
        for name, inner in value.items():
            _merge(below, name, inner, (*path, name), origin, findings)
    else:
        node[key] = value
        for known in [known for known in findings.origins if known[: len(path)] == path]:
            del findings.origins[known]
        findings.origins[path] = origin


def _existing(node: Mapping[str, Tree], step: str) -> str:
    """The key that `step` means: `azure_eu` finds `azure-eu`, which no variable's name could spell."""
    return next((key for key in node if key.lower().replace("-", "_") == step.replace("-", "_")), step)


def _value(name: str, text: str, findings: Findings) -> Tree:
    if text.strip()[:1] not in {"{", "["}:
        return None if text in {"null", "~"} else Raw(text)
    try:
        made: Tree = yaml.safe_load(text)
    except YAML_ERRORS:
        findings.add((name,), "is not valid JSON or YAML")
        return None
    return made
