"""The JSON Schema for editors agrees with what lor3 reads."""

from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from entrypoints.configuration.schema import json_schema, schema_text
from entrypoints.resources import resource


@pytest.fixture(scope="module")
def validator() -> Draft202012Validator:
    schema = json_schema()
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


def test_checked_in_schema_is_current() -> None:
    """Made by `lor3 config schema > config/lor3.schema.json`."""
    assert resource("config/lor3.schema.json").read_text("utf-8") == schema_text()


def test_every_section_shows_its_defaults() -> None:
    """Where there is one: in the editor, and in the tables of docs/configuration.md."""
    sections = {
        name: section["properties"]
        for name, section in json_schema()["properties"].items()
        if section.get("properties")
    }

    assert {"threads", "retention", "server", "database"} <= set(sections)
    without = {"limits"}  # where nothing is said, there is none
    for name, settings in sections.items():
        if name in without:
            continue
        assert [setting for setting, schema in settings.items() if "default" in schema], name
    assert sections["retention"]["deleted_threads_days"]["default"] == 30


def test_every_example_fits_the_schema(validator: Draft202012Validator) -> None:
    """An editor finds nothing in the files that we show."""
    for path in sorted(resource("config/examples").iterdir()):
        document = yaml.safe_load(path.read_text("utf-8"))

        assert [error.message for error in validator.iter_errors(document)] == []


@pytest.mark.parametrize(
    "document",
    [
        {"server": {"port": "${PORT}"}},
        {"providers": {"x": {"kind": "demo", "own": {"option": 1}}}},
        {"prices": {"a:b": {"input_per_mtok": "0.1"}}},
        {"$schema": "x"},
    ],
)
def test_valid_documents_fit(validator: Draft202012Validator, document: Any) -> None:
    """References stand for numbers, providers have options of their own."""
    assert validator.is_valid(document)


@pytest.mark.parametrize(
    "document",
    [
        {"temprature": 1},
        {"server": {"port": 70000}},
        {"log": {"level": "warn"}},
        {"fallbacks": "a"},
        {"top_p": 0},
        {"models": {"a:b": {"capabilities": ["tols"]}}},
    ],
)
def test_invalid_documents_do_not_fit(validator: Draft202012Validator, document: Any) -> None:
    """The editor marks what lor3 would refuse."""
    assert not validator.is_valid(document)
