"""`config show`: complete, and without a secret."""

import json
from pathlib import Path

import attrs

from entrypoints.configuration.document import Document
from entrypoints.configuration.load import load_settings
from entrypoints.configuration.view import flatten, mask_url, origin_of, settings_view

CANARY = "hunter2CANARY"
ENVIRON = {
    "OPENAI_API_KEY": CANARY,
    "K": CANARY,
    "DATABASE_URL": f"postgresql://u:{CANARY}@h/d?password={CANARY}",
    "REDIS_URL": f"rediss://:{CANARY}@h:1/0",
}
TEXT = """
providers:
  x: {kind: demo, client_secret: "${K}", headers: {Authorization: "Bearer ${K}"}, region: eu}
prices:
  "demo:demo": {input_per_mtok: 0.10}
  "openai:gpt-5": [{input_per_mtok: 1}, {from: 2026-12-01, input_per_mtok: 2}]
"""


def test_no_secret_is_in_the_view(tmp_path: Path) -> None:
    """Keys, passwords in URLs and the providers' own secrets are masked, the rest is shown."""
    (tmp_path / "lor3.yaml").write_text(TEXT, encoding="utf-8")
    view = settings_view(load_settings(config_path=None, environ=ENVIRON, cwd=tmp_path))
    text = json.dumps(view)

    assert CANARY not in text
    assert view["providers"]["openai"]["api_key"] == "****"
    assert view["providers"]["x"]["region"] == "eu"
    assert view["database"]["url"] == "postgresql://u:****@h/d?password=****"
    assert view["redis"]["url"] == "rediss://:****@h:1/0"
    assert view["prices"]["demo:demo"]["input_per_mtok"] == "0.1"
    assert [price.get("from") for price in view["prices"]["openai:gpt-5"]] == [None, "2026-12-01"]


def test_view_holds_every_setting(tmp_path: Path) -> None:
    """A setting that the document knows is shown."""
    view = settings_view(load_settings(config_path=None, environ={}, cwd=tmp_path))
    known = {field.name for field in attrs.fields(Document)}

    assert set(view) == known


def test_own_aliases_and_models_are_shown_with_their_origins(tmp_path: Path) -> None:
    """From the file and from a variable, each as written."""
    (tmp_path / "lor3.yaml").write_text(
        "aliases: {fast: openai:gpt-luna}\n"
        "models:\n"
        "  'demo:demo': {context_window: 9000, capabilities: [stop], retired_on: 2030-01-02}\n",
        encoding="utf-8",
    )
    environ = {"LOR3_ALIASES": '{"slow": "claude:opus"}'}
    settings = load_settings(config_path=None, environ=environ, cwd=tmp_path)
    flat = flatten(settings_view(settings))

    assert (flat["aliases.fast"], flat["aliases.slow"]) == ("openai:gpt-luna", "claude:opus")
    assert flat['models["demo:demo"].context_window'] == 9000
    assert flat['models["demo:demo"].capabilities'] == ["stop"]
    assert flat['models["demo:demo"].retired_on'] == "2030-01-02"
    assert origin_of("aliases.fast", settings.origins) == "lor3.yaml, line 1"
    assert origin_of("aliases.slow", settings.origins) == "LOR3_ALIASES"
    assert origin_of('models["demo:demo"].context_window', settings.origins) == "lor3.yaml, line 3"


def test_mask_keeps_urls_without_secrets() -> None:
    """Paths with an @ or a colon are no passwords."""
    for url in ("sqlite:///a:b@c.db", "postgresql://u@h/d", "http://h:1/v1"):
        assert url == mask_url(url)


def test_flatten_gives_dotted_paths() -> None:
    """Lists and empty mappings are leaves; a name that is not plain is quoted, as in faults."""
    flat = flatten({"a": {"b": 1, "c": {}, "x:y": 2}, "d": [1]})

    assert flat == {"a.b": 1, "a.c": {}, 'a["x:y"]': 2, "d": [1]}
