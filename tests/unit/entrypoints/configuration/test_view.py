"""`config show`: complete, and without a secret."""

import json
from pathlib import Path

import attrs

from entrypoints.configuration.document import Document
from entrypoints.configuration.load import load_settings
from entrypoints.configuration.view import flatten, mask_url, settings_view

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
prices: {"demo:demo": {input_per_mtok: 0.10}}
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


def test_view_holds_every_setting(tmp_path: Path) -> None:
    """A setting that the document knows is shown, except the catalogue's own sections."""
    view = settings_view(load_settings(config_path=None, environ={}, cwd=tmp_path))
    known = {field.name for field in attrs.fields(Document)}

    assert set(view) | {"aliases", "models"} == known


def test_mask_keeps_urls_without_secrets() -> None:
    """Paths with an @ or a colon are no passwords."""
    for url in ("sqlite:///a:b@c.db", "postgresql://u@h/d", "http://h:1/v1"):
        assert url == mask_url(url)


def test_flatten_gives_dotted_paths() -> None:
    """Lists and empty mappings are leaves."""
    assert flatten({"a": {"b": 1, "c": {}}, "d": [1]}) == {"a.b": 1, "a.c": {}, "d": [1]}
