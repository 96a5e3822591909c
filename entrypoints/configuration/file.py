"""Configuration files: which one is read, and what it holds, with line numbers."""

import json
from collections.abc import Callable, Hashable, Mapping
from pathlib import Path as FilePath

import attrs
import yaml

from domain.errors import Fault
from domain.values import frozen
from entrypoints.configuration.findings import Path, refuse, render_path
from entrypoints.configuration.raw import YAML_ERRORS, Tree

NAMES = ("lor3.yaml", "lor3.yml", "lor3.json")
_MAX_BYTES = 1024 * 1024
_COLLECTIONS = frozenset({"tag:yaml.org,2002:map", "tag:yaml.org,2002:seq"})
_MAX_NODES = 100_000  # YAML aliases can multiply a small file a billionfold


@frozen(kw_only=True)
class ConfigFile:
    """A parsed file. `lines` knows the line of each value of a YAML file; JSON gives none."""

    name: str
    tree: dict[str, Tree]
    lines: Mapping[Path, int]
    faults: tuple[Fault, ...] = ()
    """What is wrong and leaves the rest readable, such as a key that is given twice: its last value is the tree's."""

    def place(self, path: Path) -> str:
        line = self.lines.get(path)
        return f"{self.name}, line {line}" if line else self.name


def find(config_path: FilePath | None, environ: Mapping[str, str], cwd: FilePath) -> FilePath | None:
    """The file to read: `config_path`, else `LOR3_CONFIG`, else the first of `NAMES` in `cwd`, else none."""
    named = config_path or (FilePath(environ["LOR3_CONFIG"]) if environ.get("LOR3_CONFIG") else None)
    if named is not None:
        return named if named.is_absolute() else cwd / named
    return next((cwd / name for name in NAMES if (cwd / name).is_file()), None)


def read(path: FilePath) -> ConfigFile:
    """Parses `path`: JSON where its name ends in `.json` or its text starts with `{`, else YAML.

    Raises:
        ConfigurationError: unreadable, not UTF-8, malformed or not a mapping.
    """
    name = path.name
    try:
        with path.open("rb") as file:
            content = file.read(_MAX_BYTES + 1)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise refuse("", f"the configuration file {path} can't be read: {reason}") from error
    if len(content) > _MAX_BYTES:
        raise refuse("", f"the configuration file {path} is larger than 1 MiB")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise refuse("", f"{name} is not UTF-8 text; save it as UTF-8") from error
    parse = _parse_json if name.endswith(".json") or text.lstrip().startswith("{") else _parse_yaml
    try:
        return parse(name, text)
    except RecursionError as error:
        raise refuse("", f"{name} is nested too deeply") from error


class _Object(dict[str, Tree]):
    """A JSON object that remembers the keys it was given twice."""

    repeated: tuple[str, ...] = ()


def _parse_json(name: str, text: str) -> ConfigFile:
    def pairs(items: list[tuple[str, Tree]]) -> _Object:
        made = _Object(items)
        if len(made) != len(items):
            keys = [key for key, _ in items]
            made.repeated = tuple(sorted({key for key in keys if keys.count(key) > 1}))
        return made

    def constant(word: str) -> Tree:
        raise refuse("", f"{name}: {word} is not JSON; write a number")

    try:
        tree = json.loads(text or "{}", object_pairs_hook=pairs, parse_constant=constant)
    except ValueError as error:
        line = error.lineno if isinstance(error, json.JSONDecodeError) else None
        where = f", line {line}" if line else ""
        what = error.msg if isinstance(error, json.JSONDecodeError) else "a number is too long"
        raise refuse("", f"{name}{where}: not valid JSON: {what}", line=line) from error
    faults: list[Fault] = []
    _find_repeated(tree, (), faults)
    return ConfigFile(name=name, tree=_mapping(name, tree), lines={}, faults=tuple(faults))


def _find_repeated(tree: Tree, path: Path, faults: list[Fault]) -> None:
    if isinstance(tree, _Object):
        twice = "is given twice; keep one"
        faults.extend(Fault(path=render_path((*path, key)), message=twice) for key in tree.repeated)
        for key, value in tree.items():
            _find_repeated(value, (*path, key), faults)
    elif isinstance(tree, list):
        for index, value in enumerate(tree):
            _find_repeated(value, (*path, index), faults)


def _parse_yaml(name: str, text: str) -> ConfigFile:
    try:
        loader = yaml.SafeLoader(text)
        node = loader.get_single_node()
        if node is None:
            return ConfigFile(name=name, tree={}, lines={})
        builder = _Builder(name=name, construct=loader.construct_object, flatten=loader.flatten_mapping)
        tree = builder.build(node, ())
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else None
        where = f", line {line}" if line else ""
        # The snippet that PyYAML would show is left out: it may hold a key.
        what = f"{error.problem or error.context}{_quoting_hint(text, error)}"
        raise refuse("", f"{name}{where}: not valid YAML: {what}", line=line) from error
    except RecursionError:
        raise  # `read` has the words for it
    except YAML_ERRORS as error:
        raise refuse(
            "", f"{name}: not valid YAML; check for control characters and impossible dates"
        ) from error
    return ConfigFile(name=name, tree=_mapping(name, tree), lines=builder.lines, faults=tuple(builder.faults))


def _quoting_hint(text: str, error: yaml.MarkedYAMLError) -> str:
    """What to do where the brace of a reference was read as YAML's own, as in `redis: {url: ${REDIS_URL}}`."""
    mark = error.problem_mark
    if mark is None or "while parsing a flow" not in (error.context or ""):
        return ""
    lines = text.splitlines()
    line = lines[mark.line] if mark.line < len(lines) else ""  # the fault may be that the text ends
    return '; inside `{…}` and `[…]` quote a reference: "${NAME}"' if "${" in line else ""


@attrs.define(kw_only=True)
class _Builder:
    """Turns YAML nodes into values, noting lines and refusing keys given twice or not text."""

    name: str
    construct: Callable[..., object]
    flatten: Callable[[yaml.MappingNode], None]
    lines: dict[Path, int] = attrs.field(factory=dict)
    faults: list[Fault] = attrs.field(factory=list)
    nodes: int = 0

    def build(self, node: yaml.Node, path: Path) -> Tree:
        self.nodes += 1
        if self.nodes > _MAX_NODES:
            raise refuse("", f"{self.name} expands to more than {_MAX_NODES} values; use fewer aliases")
        if path:
            self.lines.setdefault(path, node.start_mark.line + 1)
        if not isinstance(node, yaml.ScalarNode) and node.tag not in _COLLECTIONS:
            line = node.start_mark.line + 1
            self._fault(path, f"the YAML tag {node.tag} is refused; write plain values", line)
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path)
        if isinstance(node, yaml.SequenceNode):
            return [self.build(item, (*path, index)) for index, item in enumerate(node.value)]
        return self.construct(node, deep=True)

    def _mapping(self, node: yaml.MappingNode, path: Path) -> Tree:
        seen: dict[Hashable, int] = {}
        for key_node, _ in node.value:
            line = key_node.start_mark.line + 1
            key = key_node.value if isinstance(key_node, yaml.ScalarNode) else None
            if key is None or key_node.tag == "tag:yaml.org,2002:null":
                self._fault(path, f"a key must be text (line {line})", line)
            elif key in seen:
                self._fault((*path, key), f"is given twice, on lines {seen[key]} and {line}; keep one", line)
            else:
                seen[key] = line
        # After the check: `<<` may bring keys that the mapping overrides on purpose.
        self.flatten(node)
        made: dict[str, Tree] = {}
        for key_node, value_node in node.value:
            if isinstance(key_node, yaml.ScalarNode) and key_node.tag != "tag:yaml.org,2002:null":
                key = str(key_node.value)
                made[key] = self.build(value_node, (*path, key))
                self.lines[(*path, key)] = key_node.start_mark.line + 1
        return made

    def _fault(self, path: Path, message: str, line: int) -> None:
        self.faults.append(Fault(path=render_path(path), message=f"{message} ({self.name})", line=line))


def _mapping(name: str, tree: Tree) -> dict[str, Tree]:
    if not isinstance(tree, dict):
        raise refuse("", f"{name} must hold settings by name, such as `primary: anthropic:claude-opus-5-5`")
    return tree
