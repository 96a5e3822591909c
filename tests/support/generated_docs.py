"""Writes the generated blocks of `docs/cli.md` and `docs/configuration.md`: `python -m tests.support.generated_docs`.

A block stands between `<!-- begin NAME -->` and `<!-- end -->`; NAME is a command line or `settings SECTION`.
"""

import re
import sys
from pathlib import Path
from typing import Any

import click

from entrypoints.cli.main import cli
from entrypoints.configuration.schema import json_schema

DOCS = Path(__file__).resolve().parents[2] / "docs"
PAGES = (DOCS / "cli.md", DOCS / "configuration.md")
_BLOCK = re.compile(r"(<!-- begin (?P<name>[^>]+) -->\n).*?(<!-- end -->)", re.DOTALL)


def regenerated(text: str) -> str:
    """`text` with every generated block as the code has it now."""
    return _BLOCK.sub(lambda match: f"{match[1]}{_block(match['name'])}{match[3]}", text)


def documented_blocks(text: str) -> list[str]:
    return [match["name"] for match in _BLOCK.finditer(text)]


def command_lines(command: click.Command | None = None, name: str = "lor3") -> list[str]:
    """Every command line there is: `lor3`, `lor3 serve`, `lor3 config`, `lor3 config check`, …"""
    command = command or cli
    lines = [name]
    if isinstance(command, click.Group):
        context = click.Context(command)
        for inner in command.list_commands(context):
            lines += command_lines(command.get_command(context, inner), f"{name} {inner}")
    return lines


def sections() -> list[str]:
    """The sections of the settings: the top level as `chat`, then each that holds settings of its own."""
    properties = json_schema()["properties"]
    return ["chat", *(name for name, schema in properties.items() if _fields(schema))]


def _block(name: str) -> str:
    kind, _, section = name.partition(" ")
    return _settings_table(section) if kind == "settings" else f"```text\n{_help(name)}\n```\n"


def _help(line: str) -> str:
    command: click.Command = cli
    context = click.Context(cli, info_name="lor3", terminal_width=100, help_option_names=["-h", "--help"])
    for step in line.split()[1:]:
        assert isinstance(command, click.Group)
        found = command.get_command(context, step)
        assert found is not None, line
        command = found
        context = click.Context(command, info_name=step, parent=context, terminal_width=100)
    return command.get_help(context)


def _fields(schema: dict[str, Any]) -> dict[str, Any]:
    """The settings that a section holds, or that each of its named entries holds."""
    extra = schema.get("additionalProperties")
    if isinstance(extra, dict):
        return dict(extra.get("anyOf", [extra])[0].get("properties", {}))
    return dict(schema.get("properties", {}))


def _settings_table(section: str) -> str:
    top = json_schema()["properties"]
    if section == "chat":
        rows = {name: schema for name, schema in top.items() if name != "$schema" and not _fields(schema)}
        prefix = ""
    else:
        named = isinstance(top[section].get("additionalProperties"), dict)
        rows, prefix = _fields(top[section]), f"{section}.NAME." if named else f"{section}."
    lines = ["| setting | value | default | meaning |", "|---|---|---|---|"]
    for name, schema in rows.items():
        inner = _fields(schema)
        if inner:
            lines += [_row(f"{prefix}{name}.{each}", of) for each, of in inner.items()]
        else:
            lines.append(_row(f"{prefix}{name}", schema))
    return "\n".join(lines) + "\n"


def _row(path: str, schema: dict[str, Any]) -> str:
    kind = _value(schema.get("anyOf", [schema])[0])
    default = "" if "default" not in schema else f"`{_shown(schema['default'])}`"
    return f"| `{path}` | {kind} | {default} | {schema['description']} |"


def _value(schema: dict[str, Any]) -> str:
    if "enum" in schema:
        return ", ".join(f"`{each}`" for each in schema["enum"])
    if "anyOf" in schema:
        return " or ".join(_value(each) for each in schema["anyOf"])
    if "type" not in schema:
        return "any JSON"
    kind = schema["type"]
    if kind == "array":
        return f"list of {_value(schema['items'])}"
    if kind == "object":
        return f"name → {_value(schema['additionalProperties'])}"
    if schema.get("format") == "date":
        return "day"
    words = {"integer": "whole number", "number": "number", "string": "text", "boolean": "true or false"}
    word = "number" if isinstance(kind, list) else words[kind]
    low, high = schema.get("minimum"), schema.get("maximum")
    if "exclusiveMinimum" in schema:
        return f"{word} > {schema['exclusiveMinimum']:g}" + (
            f", ≤ {high:g}" if high and high < 86_400 else ""
        )
    if low is not None and high is not None:
        return f"{word}, {low:g}–{int(high) if high == int(high) else high}"
    return f"{word} ≥ {low:g}" if low is not None else word


def _shown(default: object) -> str:
    if isinstance(default, bool):
        return "true" if default else "false"
    if isinstance(default, list):
        return f"[{', '.join(map(str, default))}]"
    return f"{default:g}" if isinstance(default, float) else str(default)


def main() -> None:
    for page in PAGES:
        page.write_text(regenerated(page.read_text("utf-8")), "utf-8")
        sys.stdout.write(f"{page.name}\n")


if __name__ == "__main__":
    main()
