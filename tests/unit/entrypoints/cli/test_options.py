"""The options that commands share."""

import ast
import importlib
from pathlib import Path
from typing import Any

import attrs
import click
import pytest
from click.testing import CliRunner

from entrypoints.cli.options import for_tenant, tenant_from

CLI = Path(importlib.import_module("entrypoints.cli").__path__[0])


@click.command()
@for_tenant
def show() -> None:
    click.echo(tenant_from())


@pytest.mark.parametrize(
    ("arguments", "environ", "expected"),
    [
        ([], {}, "default"),
        (["--tenant", "acme"], {}, "acme"),
        ([], {"LOR3_TENANT": "globex"}, "globex"),
        (["--tenant", "acme"], {"LOR3_TENANT": "globex"}, "acme"),
        ([], {"LOR3_TENANT": ""}, "default"),
    ],
)
def test_the_tenant_is_that_of_the_command_under_way(
    arguments: list[str], environ: dict[str, str], expected: str
) -> None:
    """The flag goes before the environment; once the command is over nothing of it is left."""
    done = CliRunner().invoke(show, arguments, env={"LOR3_TENANT": None, **environ})

    assert (0, f"{expected}\n") == (done.exit_code, done.output)
    assert "default" == tenant_from()


def test_an_empty_tenant_is_misuse() -> None:
    """It would be one that nobody can have a key for."""
    done = CliRunner().invoke(show, ["--tenant", " "])

    assert 2 == done.exit_code
    assert "must not be empty" in done.output


def test_every_command_names_its_tenant() -> None:
    """Whatever the command line asks of the application: a use case's own default is for the tenant `default` alone."""
    found: list[str] = []
    calls = 0
    for path in sorted(CLI.glob("*.py")):
        if path.name.startswith("key_") or path.name in ("on_keys.py", "db_prune.py", "prompt_sync.py"):
            continue  # keys have a `--tenant` of their own; the others are about all tenants, and about files
        tree = ast.parse(path.read_text(encoding="utf-8"))
        modules = {
            name.asname or name.name: node.module
            for node in ast.walk(tree)
            if isinstance(node, ast.ImportFrom) and node.module is not None
            for name in node.names
        }
        for node in ast.walk(tree):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name)):
                continue
            name = node.func.id
            if not name.endswith("Command") or name not in modules:
                continue
            made: Any = getattr(importlib.import_module(str(modules[name])), name)
            if "tenant" not in attrs.fields_dict(made):
                continue
            calls += 1
            if not any(each.arg == "tenant" for each in node.keywords):
                found.append(f"{path.name}:{node.lineno}: {name}")

    assert [] == found
    assert calls > 10
