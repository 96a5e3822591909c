"""What is offered to choose from: by the configuration that stands in a file."""

from decimal import Decimal
from pathlib import Path

import pytest

from application.use_cases.describe_service import ServiceDescription
from entrypoints.bootstrap import running
from entrypoints.configuration.load import load_settings
from lor3.testing import InMemoryStore

LOCAL = "providers: {up: {kind: openai-compatible, base_url: 'http://127.0.0.1:9/v1'}}\n"


async def described(folder: Path, text: str) -> ServiceDescription:
    (folder / "lor3.yaml").write_text(text, "utf-8")
    settings = load_settings(config_path=None, environ={"OPENAI_API_KEY": "sk-x"}, cwd=folder)
    async with running(settings, store=InMemoryStore()) as lor3:
        return lor3.describe_service.execute()


async def test_every_model_that_the_configuration_names_is_offered(tmp_path: Path) -> None:
    """Those of a server whose models no catalogue lists, too; each once, by name, with unknown limits."""
    text = (
        LOCAL
        + "primary: up:a\nfallbacks: [up:b, gpt-5-mini]\nsummary_model: up:c\naliases: {fast: up:d, two: up:a}\n"
    )
    found = await described(tmp_path, text)
    names = [str(view.spec.ref) for view in found.models]

    assert [name for name in names if name.startswith("up:")] == ["up:a", "up:b", "up:c", "up:d"]
    assert names == sorted(names)
    assert "openai:gpt-5-mini" in names
    (first, *_) = [view for view in found.models if view.spec.ref.provider == "up"]
    assert (first.health, first.retired, first.spec.context_window, first.price) == ("ok", False, None, None)


@pytest.mark.parametrize(
    ("text", "offered"),
    [
        ("", False),
        (LOCAL + "primary: up:a", False),
        ("fallbacks: [demo]", True),
        ("summary_model: demo:demo", True),
        ("aliases: {show: demo}", True),
        ("providers: {demo: {delay_s: 0.1}}", True),
        (LOCAL, False),
        ("primary: demo", True),
    ],
)
async def test_the_demo_is_offered_only_where_something_names_it(
    tmp_path: Path, text: str, offered: bool
) -> None:
    """Beside a real provider a choice of it would be an answer that nobody wants; it can be named all the same."""
    found = await described(tmp_path, text)

    assert ("demo:demo" in [str(view.spec.ref) for view in found.models]) is offered
    assert ("demo" in dict(found.aliases)) is offered


async def test_a_default_without_a_key_stays_and_the_demo_with_it(tmp_path: Path) -> None:
    """Nothing else can answer."""
    (tmp_path / "lor3.yaml").write_text("primary: claude:opus\n", "utf-8")
    settings = load_settings(config_path=None, environ={}, cwd=tmp_path)
    async with running(settings, store=InMemoryStore()) as lor3:
        found = lor3.describe_service.execute()

    assert [(str(view.spec.ref), view.health) for view in found.models] == [
        ("anthropic:claude-opus-5-5", "unavailable"),
        ("demo:demo", "ok"),
    ]


async def test_the_price_of_today_and_what_comes_are_told(tmp_path: Path) -> None:
    """Until the first day of an override the list price holds."""
    text = """
prices:
  "openai:gpt-4o":
    - {from: 2098-01-01, input_per_mtok: 2, output_per_mtok: 8}
    - {from: 2099-01-01, input_per_mtok: 1, output_per_mtok: 4}
"""
    found = await described(tmp_path, text)

    (view,) = [view for view in found.models if str(view.spec.ref) == "openai:gpt-4o"]
    assert view.price is not None
    assert (view.price.starts_on, view.price.input_per_mtok) == (None, Decimal("2.5"))
    assert [(str(price.starts_on), price.input_per_mtok) for price in view.coming] == [
        ("2098-01-01", Decimal(2)),
        ("2099-01-01", Decimal(1)),
    ]
