"""config/models.yaml, held to the domain's types."""

import datetime
import re
from typing import Any, get_args

import yaml

from adapters.prices.snapshot import Snapshot
from domain.model import ALL_CAPABILITIES, Capability, ModelRef
from entrypoints.resources import resource

_FIELDS = {
    "context_window",
    "max_output_tokens",
    "capabilities",
    "encoding",
    "count_margin",
    "token_limit_field",
    "retired_on",
    "replaced_by",
}

_NO_PRICE = {"demo:demo": "no vendor's: it is free"}
"""Aliases and defaults that may lack a list price, each with its reason."""


def _catalogue() -> Any:
    return yaml.safe_load(resource("config/models.yaml").read_text("utf-8"))


def test_every_alias_names_a_model_of_the_catalogue() -> None:
    """An alias to nowhere would be a model with unknown limits."""
    catalogue = _catalogue()

    assert set() == set(catalogue["aliases"].values()) - set(catalogue["models"])


def test_no_alias_no_default_and_no_replacement_is_retired_by_now() -> None:
    """What lor3 points people at was alive when this catalogue was written."""
    catalogue = _catalogue()
    written_on = datetime.date(2026, 11, 22)
    targets = {*catalogue["aliases"].values(), *catalogue["defaults"].values()} | {
        model["replaced_by"] for model in catalogue["models"].values() if "replaced_by" in model
    }
    retired = {
        name
        for name in targets
        if catalogue["models"][name].get("retired_on", datetime.date.max) <= written_on
    }

    assert set() == retired


def test_every_alias_and_default_has_a_price_and_known_limits() -> None:
    """Who writes no model, or a line's name, is told what the answer costs."""
    catalogue = _catalogue()
    prices = Snapshot.read(resource("config/prices.json"))
    today = datetime.datetime(2026, 11, 22, tzinfo=datetime.UTC)
    named = {*catalogue["aliases"].values(), *catalogue["defaults"].values()} - set(_NO_PRICE)
    unpriced = {
        name for name in named if prices.find(name.partition(":")[0], name.partition(":")[2], today) is None
    }
    unlimited = {
        name
        for name in named
        if not {"context_window", "max_output_tokens"} <= set(catalogue["models"][name])
    }

    assert (set(), set()) == (unpriced, unlimited)


def test_no_message_of_ours_suggests_a_model_that_is_gone() -> None:
    """Who follows a hint gets an answer. Tests and `config/examples/seed.json` may name the dead."""
    models = _catalogue()["models"]
    suggested = {
        (str(file), name)
        for package in ("domain", "application", "adapters", "entrypoints")
        for file in resource(package).rglob("*.py")
        if "testing" not in file.parts
        for name in re.findall(
            r"(?:such as|for example) `(?:primary: )?(\w+:[\w.-]+)`", file.read_text("utf-8")
        )
        if name.partition(":")[0] in {"openai", "anthropic"}
    }

    assert {name for _, name in suggested} == {"anthropic:claude-opus-5-5"}
    assert not any("retired_on" in models[name] for _, name in suggested)


def test_every_model_is_well_formed() -> None:
    """Names parse, fields and capabilities are known, numbers make sense."""
    for name, model in _catalogue()["models"].items():
        assert name == str(ModelRef.parse(name))
        assert set() == set(model) - _FIELDS, name
        assert set() == set(model["capabilities"]) - set(get_args(Capability)), name
        if "context_window" in model and "max_output_tokens" in model:
            assert 0 < model["max_output_tokens"] <= model["context_window"], name
        assert 0 <= model.get("count_margin", 0.0) <= 1, name


def test_the_two_models_of_the_first_example_are_retired() -> None:
    """`openai:gpt-4` and Claude 3 Opus went away in 2026."""
    models = _catalogue()["models"]

    assert datetime.date(2026, 10, 23) == models["openai:gpt-4"]["retired_on"]
    assert datetime.date(2026, 1, 5) == models["anthropic:claude-3-opus-20240229"]["retired_on"]


def test_demo_can_do_everything() -> None:
    """The demo provider must never be the reason that a request is refused."""
    demo = _catalogue()["models"]["demo:demo"]

    assert set(ALL_CAPABILITIES) == set(demo["capabilities"])
    assert demo["context_window"] == 128_000
