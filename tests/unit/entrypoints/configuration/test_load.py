"""How settings are read: sources, precedence, defaults."""

import datetime
import json
from collections.abc import Callable, Mapping
from decimal import Decimal
from pathlib import Path
from typing import TypeAlias

import pytest

from application.ports.price_book import Price
from domain.model import ModelRef
from domain.secret import Secret
from entrypoints.configuration.load import load_settings
from entrypoints.resources import resource
from entrypoints.settings import Settings

TODAY = datetime.date(2026, 11, 22)
SEED = {
    "primary": "openai:gpt-4",
    "fallbacks": ["claude:opus"],
    "passes": ["token-budget-check"],
    "format": "markdown",
    "max_tokens": 4000,
}
Load: TypeAlias = Callable[..., Settings]


@pytest.fixture
def load(tmp_path: Path) -> Load:
    """Loads with an empty environment and directory, plus what the test gives."""

    def load(
        text: str | None = None,
        *,
        name: str = "lor3.yaml",
        environ: Mapping[str, str] | None = None,
        flags: Mapping[str, object] | None = None,
        config_path: Path | None = None,
    ) -> Settings:
        if text is not None:
            (tmp_path / name).write_text(text, encoding="utf-8")
        return load_settings(
            config_path=config_path, environ=environ or {}, flags=flags, cwd=tmp_path, today=TODAY
        )

    return load


def test_nothing_at_all_is_the_demo(load: Load) -> None:
    """lor3 runs without configuration and without a key."""
    settings = load()

    assert ("demo:demo", (), {"demo"}, ()) == (
        settings.chat.primary,
        settings.chat.fallbacks,
        set(settings.providers),
        settings.warnings,
    )


def test_seed_example_loads_word_for_word(load: Load) -> None:
    """The example names a dead model and providers without keys: warnings, not faults."""
    example = json.loads(resource("config/examples/seed.json").read_text("utf-8"))
    settings = load(json.dumps(example), name="lor3.json")

    assert example == SEED
    assert (
        settings.chat.primary,
        settings.chat.fallbacks,
        settings.chat.passes,
        settings.chat.format,
        settings.chat.max_tokens,
    ) == ("openai:gpt-4", ("claude:opus",), ("token-budget-check",), "markdown", 4000)
    assert settings.unavailable == {
        "openai": "no API key: set OPENAI_API_KEY",
        "anthropic": "no API key: set ANTHROPIC_API_KEY",
    }
    assert "was switched off on 2026-10-23" in settings.warnings[0]
    assert "OPENAI_API_KEY" in settings.warnings[1]
    assert "ANTHROPIC_API_KEY" in settings.warnings[1]


def test_every_example_file_loads(load: Load) -> None:
    """What `config/examples` shows works, given the variables it names."""
    environ = dict.fromkeys(("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "AZURE_KEY", "DB_PASSWORD"), "x")
    for path in sorted(resource("config/examples").iterdir()):
        settings = load(config_path=path, environ=environ)

        assert str(path) == settings.source


@pytest.mark.parametrize(
    ("keys", "primary", "fallbacks"),
    [
        (("OPENAI_API_KEY",), "openai", ()),
        (("ANTHROPIC_API_KEY",), "anthropic", ()),
        (("ANTHROPIC_API_KEY", "OPENAI_API_KEY"), "openai", ("anthropic",)),
    ],
)
def test_without_file_keys_choose_the_primary(
    load: Load, keys: tuple[str, ...], primary: str, fallbacks: tuple[str, ...]
) -> None:
    """The first vendor whose key is set answers, the other one stands by."""
    settings = load(environ=dict.fromkeys(keys, "k"))

    assert (primary, fallbacks) == (
        settings.chat.primary.partition(":")[0],
        tuple(name.partition(":")[0] for name in settings.chat.fallbacks),
    )
    assert settings.catalogue.resolve(settings.chat.primary, today=TODAY).known
    assert settings.warnings == ()


def test_standard_variables_work_without_a_file(load: Load) -> None:
    """The variables that the vendors' SDKs and hosting platforms set."""
    settings = load(
        environ={
            "OPENAI_API_KEY": "k",
            "OPENAI_BASE_URL": "http://127.0.0.1:9/v1/",
            "DATABASE_URL": "postgres://u:p@db/lor3",
            "REDIS_URL": "redis://r:6379/0",
        }
    )

    assert Secret("k") == settings.providers["openai"].api_key
    assert settings.providers["openai"].base_url == "http://127.0.0.1:9/v1"
    assert Secret("postgresql://u:p@db/lor3") == settings.database.url
    assert Secret("redis://r:6379/0") == settings.redis.url


def test_flags_beat_environment_beats_file_beats_defaults(load: Load) -> None:
    """The order that the documentation states."""
    text = "server: {port: 1001, workers: 2, drain_s: 5}"
    environ = {"LOR3_SERVER__PORT": "1002", "LOR3_SERVER__WORKERS": "3"}
    server = load(text, environ=environ, flags={"server.port": 1003, "server.host": None}).server

    assert (server.port, server.workers, server.drain_s, server.host) == (1003, 3, 5.0, "127.0.0.1")


def test_config_path_beats_variable_beats_directory(load: Load, tmp_path: Path) -> None:
    """A file that was named is never passed over for one that lies about."""
    for name in ("lor3.yaml", "named.yaml", "flag.yaml"):
        (tmp_path / name).write_text(f"system: {name}", encoding="utf-8")

    assert load().chat.system == "lor3.yaml"
    assert load(environ={"LOR3_CONFIG": "named.yaml"}).chat.system == "named.yaml"
    assert (
        load(environ={"LOR3_CONFIG": "named.yaml"}, config_path=Path("flag.yaml")).chat.system == "flag.yaml"
    )


def test_environment_spells_every_kind_of_value(load: Load) -> None:
    """Scalars are read as the field wants them, lists by commas or as JSON, mappings as JSON."""
    settings = load(
        environ={
            "LOR3_FALLBACKS": "demo:a, demo:b",
            "LOR3_STOP": '["x, y"]',
            "LOR3_SYSTEM": "42",
            "LOR3_TEMPERATURE": "0.5",
            "LOR3_DATABASE__AUTO_MIGRATE": "true",
            "LOR3_ALIASES": '{"fast": "demo:demo"}',
            "LOR3_SEED": "",
        }
    )

    assert (
        settings.chat.fallbacks,
        settings.chat.stop,
        settings.chat.system,
        settings.chat.temperature,
        settings.chat.seed,
    ) == (("demo:a", "demo:b"), ("x, y",), "42", 0.5, None)
    assert settings.database.auto_migrate
    assert ModelRef("demo", "demo") == settings.catalogue.aliases["fast"]


def test_environment_reaches_a_provider_with_a_dash(load: Load) -> None:
    """A variable's name can't hold a dash, so an underscore finds it."""
    text = "providers: {azure-eu: {kind: openai}}"
    settings = load(text, environ={"LOR3_PROVIDERS__AZURE_EU__API_KEY": "k"})

    assert Secret("k") == settings.providers["azure-eu"].api_key


def test_budgets_are_one_or_many_or_none(load: Load) -> None:
    """An empty list says what leaving it out says."""
    settings = load("budgets: {tenant: [], user: 1/day, thread: [1/day, 2/total], tenants: {acme: []}}")
    budgets = settings.budgets

    assert [0, 1, 2] == [len(each) for each in (budgets.tenant, budgets.user, budgets.thread)]
    assert budgets.tenants == {"acme": ()}


@pytest.mark.parametrize(
    "text", ["50/day,soft 5/month", "50/day, soft 5/month,", '["50/day", "soft 5/month"]']
)
def test_budgets_of_a_variable_are_a_list_too(load: Load, text: str) -> None:
    """With commas or as JSON."""
    expected = load("budgets: {user: [50/day, soft 5/month]}").budgets

    assert expected == load(environ={"LOR3_BUDGETS__USER": text}).budgets


def test_soft_budget_above_the_hard_one_is_warned_of(load: Load) -> None:
    """Of the same period alone: chats are refused before it is reached."""
    above = load("budgets: {tenants: {acme: [50/day, soft 60/day]}}")
    below = load("budgets: {tenants: {acme: [50/day, soft 60/month, soft 40/day]}}")

    assert ["budgets.tenants.acme: the soft budget of 60/day is above the hard one of 50/day"] == [
        warning.partition(",")[0] for warning in above.warnings
    ]
    assert () == below.warnings


@pytest.mark.parametrize(
    ("more", "warned"),
    [
        ("budgets: {user: 5/day}", True),
        ("budgets: {tenants: {acme: [soft 5/day, 5/month]}}", True),
        ("budgets: {user: soft 5/day}", False),
        ("budgets: {user: 5/day, unpriced: allow}", False),
        ("budgets: {user: 5/day}\nprices: {'vllm:m': {input_per_mtok: 1, output_per_mtok: 1}}", False),
        ("", False),
    ],
)
def test_model_that_hard_budgets_refuse_is_warned_of(load: Load, more: str, warned: bool) -> None:
    """A server of one's own has no list price; the demo has one."""
    text = "primary: vllm:m\nfallbacks: [demo:demo]\nproviders: {vllm: {kind: openai-compatible, base_url: 'http://h/v1'}}"
    found = [each for each in load(f"{text}\n{more}").warnings if "costs is unknown" in each]

    assert warned == bool(found)
    assert all(each.startswith("primary: what vllm:m costs") for each in found)


def test_workers_without_redis_are_warned_of(load: Load) -> None:
    """They know nothing of one another's chats; by a flag too, and never of one worker."""
    text = "server: {workers: 4}"
    warned = load(text)
    by_flag = load(flags={"server.workers": 2})

    assert ["server.workers is 4 and redis.url is not set"] == [
        each.partition(":")[0] for each in warned.warnings
    ]
    assert (
        "do not wait for one another, and an answer under way can be resumed, stopped" in warned.warnings[0]
    )
    assert warned.warnings[0].endswith("(404 in others); set redis.url")
    assert len(by_flag.warnings) == 1
    assert () == load(text, environ={"REDIS_URL": "redis://127.0.0.1:6379"}).warnings
    assert () == load(text, flags={"server.workers": 1}).warnings


def test_foreign_variables_are_left_alone(load: Load) -> None:
    """Kubernetes sets LOR3_PORT for a service called lor3; a typo is warned of."""
    settings = load(
        environ={"LOR3_PORT": "tcp://10.0.0.1:3000", "LOR3_SERVICE_HOST": "x", "LOR3_SREVER__PORT": "1"}
    )

    assert settings.warnings == (
        "the environment variable LOR3_SREVER__PORT is no setting and is ignored; did you mean `LOR3_SERVER__PORT`?",
    )


@pytest.mark.parametrize(
    ("name", "value", "meant"),
    [
        ("LOR3_PORT", "4000", "LOR3_SERVER__PORT"),
        ("LOR3_DATABASE_URL", "x", "LOR3_DATABASE__URL"),
        ("LOR3_LOG_LEVEL", "debug", "LOR3_LOG__LEVEL"),
        ("LOR3_ROUTING_BREAKER_OPEN_S", "1", "LOR3_ROUTING__BREAKER__OPEN_S"),
        ("LOR3_AUTH_DISABLD", "true", "LOR3_AUTH__DISABLED"),
        ("LOR3_PROVIDERS_AZURE_EU_API_KEY", "k", "LOR3_PROVIDERS__AZURE_EU__API_KEY"),
        ("LOR3_URL", "x", "LOR3_DATABASE__URL` or `LOR3_REDIS__URL"),
        ("LOR3_PRIMRY", "demo:demo", "LOR3_PRIMARY"),
    ],
)
def test_variable_that_is_no_setting_is_told_its_full_name(
    load: Load, name: str, value: str, meant: str
) -> None:
    """Underscores forgotten, a section left out, a typo: each in one step."""
    assert load(environ={name: value}).warnings == (
        f"the environment variable {name} is no setting and is ignored; did you mean `{meant}`?",
    )


def test_references_are_read_from_the_environment(load: Load) -> None:
    """Anywhere in a string, with a default, in a number, and escaped."""
    settings = load(
        'system: "a ${A} ${B:-b} $${C}"\nserver: {port: "${PORT}"}', environ={"A": "1", "PORT": "81"}
    )

    assert (settings.chat.system, settings.server.port) == ("a 1 b ${C}", 81)


def test_claude_is_anthropic(load: Load) -> None:
    """A provider may be written by its other name, in the file and in a model."""
    settings = load("primary: claude:opus\nproviders: {claude: {api_key: '${K}'}}", environ={"K": "k"})

    assert Secret("k") == settings.providers["anthropic"].api_key
    assert settings.catalogue.resolve("claude:opus", today=TODAY).ref.provider == "anthropic"


def test_provider_of_another_name_has_its_kinds_models(load: Load) -> None:
    """`azure-eu` of kind openai knows what `openai` knows, replacements included."""
    catalogue = load("providers: {azure-eu: {kind: openai, api_key: '${K}'}}", environ={"K": "k"}).catalogue
    own, base = (catalogue.resolve(f"{name}:gpt-4", today=TODAY) for name in ("azure-eu", "openai"))

    assert base.context_window == own.context_window
    assert (own.replaced_by and own.replaced_by.provider) == "azure-eu"


def test_keys_never_go_to_a_provider_of_another_name(load: Load) -> None:
    """OPENAI_API_KEY belongs to OpenAI, not to whoever speaks its wire."""
    settings = load(
        "providers: {other: {kind: openai, base_url: 'https://example.com/v1'}}",
        environ={"OPENAI_API_KEY": "k"},
    )

    assert "other" not in settings.providers
    assert "providers.other" in settings.unavailable["other"]


def test_models_and_aliases_and_prices_are_the_files_own(load: Load) -> None:
    """A correction keeps what it does not mention; an alias may name another, in any order."""
    settings = load(
        """
        aliases: {b: c, c: "openai:gpt-4"}
        models: {"openai:gpt-4": {max_output_tokens: 7}, "demo:new": {capabilities: [tools]}}
        prices: {"openai:gpt-4": {input_per_mtok: 0.1}}
        """
    )
    spec = settings.catalogue.resolve("b", today=TODAY)

    assert (spec.max_output_tokens, spec.context_window) == (7, 8192)
    assert frozenset({"tools"}) == settings.catalogue.resolve("demo:new", today=TODAY).capabilities
    assert settings.prices["openai:gpt-4"] == Price(input_per_mtok=Decimal("0.1"))


def test_prices_may_begin_on_a_day(load: Load) -> None:
    """One, or a list in whichever order; a day is one without quotes and in them."""
    settings = load(
        """
        prices:
          "openai:gpt-4": {from: 2026-12-01, input_per_mtok: 1, output_per_mtok: 2}
          "openai:gpt-5":
            - {from: "2027-01-01", input_per_mtok: 5, output_per_mtok: 6, cache_write_1h_per_mtok: 7}
            - {input_per_mtok: 3, output_per_mtok: 4}
        """
    )

    assert settings.prices == {
        "openai:gpt-4": Price(
            starts_on=datetime.date(2026, 12, 1), input_per_mtok=Decimal(1), output_per_mtok=Decimal(2)
        ),
        "openai:gpt-5": (
            Price(input_per_mtok=Decimal(3), output_per_mtok=Decimal(4)),
            Price(
                starts_on=datetime.date(2027, 1, 1),
                input_per_mtok=Decimal(5),
                output_per_mtok=Decimal(6),
                cache_write_1h_per_mtok=Decimal(7),
            ),
        ),
    }


def test_half_a_price_is_warned_of(load: Load) -> None:
    """It is none, which nobody would guess who wrote it."""
    settings = load("prices: {'demo:demo': [{input_per_mtok: 1}, {from: 2027-01-01, output_per_mtok: 1}]}")

    assert [warning for warning in settings.warnings if warning.startswith("prices")] == [
        'prices["demo:demo"][0]: has no `output_per_mtok`, so nobody knows what an answer costs; add it',
        'prices["demo:demo"][1]: has no `input_per_mtok`, so nobody knows what an answer costs; add it',
    ]


def test_retired_model_is_rerouted_where_the_file_says_so(load: Load) -> None:
    """And the warning says who answers."""
    settings = load("primary: openai:gpt-4\nreroute_retired: true", environ={"OPENAI_API_KEY": "k"})
    spec = settings.catalogue.resolve("openai:gpt-4", today=TODAY)

    assert spec.ref.model != "gpt-4"
    assert f"{spec.ref} answers in its place" in settings.warnings[0]


def test_provider_options_and_timeouts_reach_the_provider(load: Load) -> None:
    """Known keys become fields, the rest is the provider's to check."""
    provider = load(
        "providers: {vllm: {kind: openai-compatible, base_url: 'http://x/v1/', idle_s: 3, extra: {a: [1]}}}"
    ).providers["vllm"]

    assert (
        provider.base_url,
        provider.timeouts.idle_s,
        provider.options,
    ) == ("http://x/v1", 3.0, {"extra": {"a": [1]}})


@pytest.mark.parametrize(
    ("text", "opens"),
    [
        ("", True),
        ("server: {host: localhost}", True),
        ("server: {host: '::1'}", True),
        ("server: {host: 0.0.0.0}", False),
        ("server: {host: '::'}", False),
        ("server: {host: example.com}", False),
        ("server: {host: 0.0.0.0}\nauth: {disabled: true}", True),
    ],
)
def test_anybody_is_let_in_without_keys_on_this_machine_alone(load: Load, text: str, opens: bool) -> None:
    """Or where `auth.disabled: true` is written: whether there are keys only the store knows."""
    assert load(text).opens_without_keys is opens


def test_origins_name_file_line_variable_and_flag(load: Load) -> None:
    """`config show` can say where each value came from."""
    origins = load(
        "\nformat: raw\nseed: 1\nserver:\n  port: 5",
        environ={"LOR3_SEED": "2"},
        flags={"server.workers": 1},
    ).origins

    assert origins == {
        "format": "lor3.yaml, line 2",
        "seed": "LOR3_SEED",
        "server.port": "lor3.yaml, line 5",
        "server.workers": "--workers",
    }


def test_default_prompt_and_its_variables(load: Load) -> None:
    """Variables are any JSON, and their texts may come from the environment."""
    text = "system_prompt: support_agent:v3\nvariables: {name: '${WHO}', tags: [a, 1], deep: {x: null}}\n"
    chat = load(text, environ={"WHO": "Ada"}).chat

    assert chat.system_prompt == "support_agent:v3"
    assert chat.variables == {"name": "Ada", "tags": ["a", 1], "deep": {"x": None}}
