"""What is refused: every fault at once, each with its path, origin and remedy, and never a secret."""

import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from domain.errors import ConfigurationError
from entrypoints.configuration.load import load_settings

CANARY = "hunter2CANARY"


def faults(
    tmp_path: Path, text: str = "", *, name: str = "lor3.yaml", environ: Mapping[str, str] | None = None
) -> dict[str, str]:
    """Path → messages of every fault in a file of this text."""
    (tmp_path / name).write_text(text, encoding="utf-8")
    with pytest.raises(ConfigurationError) as caught:
        load_settings(config_path=None, environ=environ or {}, cwd=tmp_path)
    assert CANARY not in str(caught.value)
    found: dict[str, str] = {}
    for fault in caught.value.faults:
        found[fault.path] = "; ".join(filter(None, (found.get(fault.path), fault.message)))
    return found


def test_every_fault_is_named_at_once(tmp_path: Path) -> None:
    """Types, ranges, unknown names, references and secrets, in one go."""
    found = faults(
        tmp_path,
        """
primary: opnai:gpt-4
fallbacks: [claude:opus, 7]
passes: [token-budgt-check]
format: markdwn
max_tokens: 0
temprature: 1
server: {port: 70000}
providers:
  openai: {api_key: sk-hunter2CANARYhunter2CANARY, transport: dirct}
  vllm: {kind: openai-compatible}
  x: {kind: opeanai}
database: {url: "postgresql://u:hunter2CANARY@h/d"}
redis: {url: "${NO_SUCH_VARIABLE}"}
""",
    )

    assert {
        "primary",
        "fallbacks[1]",
        "passes[0]",
        "format",
        "max_tokens",
        "temprature",
        "server.port",
        "providers.openai.api_key",
        "providers.openai.transport",
        "providers.vllm",
        "providers.x.kind",
        "database.url",
        "redis.url",
    } == set(found)
    assert "did you mean `temperature`?" in found["temprature"]
    assert "did you mean `openai`?" in found["primary"]
    assert "did you mean `token-budget-check`?" in found["passes[0]"]
    assert "NO_SUCH_VARIABLE is not set" in found["redis.url"]
    assert found["server.port"].endswith("(lor3.yaml, line 8)")


def test_faults_come_in_the_order_of_the_file(tmp_path: Path) -> None:
    """A section that lacks something has a line too; a variable comes after the file."""
    found = faults(
        tmp_path,
        """
format: markdwn
providers:
  local:
    kind: openai-compatible
server: {port: 70000}
primary: opnai:gpt-4
""",
        environ={"LOR3_SEED": "many"},
    )

    assert ["format", "providers.local", "server.port", "primary", "seed"] == list(found)
    assert found["providers.local"].endswith("(lor3.yaml, line 4)")
    assert found["seed"].endswith("(LOR3_SEED)")


@pytest.mark.parametrize(
    ("text", "path", "remedy"),
    [
        ("providers: {openai: {api_key: '${NO_KEY}'}}", "providers.openai.api_key", "set it"),
        ("database: {url: 'postgresql://u:${PW}@h/d'}", "database.url", "set it"),
        ("system: '${WHO}'", "system", "set it or write `${WHO:-default}`"),
    ],
)
def test_a_default_is_advised_only_where_it_would_be_taken(
    tmp_path: Path, text: str, path: str, remedy: str
) -> None:
    """A secret with a default would be refused as clear text."""
    assert faults(tmp_path, text)[path].endswith(f" is not set; {remedy} (lor3.yaml, line 1)")


@pytest.mark.parametrize(
    ("text", "path", "says"),
    [
        ("max_tokens: '12'", "max_tokens", "whole number"),
        ("max_tokens: true", "max_tokens", "whole number"),
        ("temperature: .nan", "temperature", "finite"),
        ("temperature: 2.1", "temperature", "between 0 and 2"),
        ("top_p: 0", "top_p", "more than 0"),
        ("context_depth: 201", "context_depth", "between 0 and 200"),
        ("system: 5", "system", "quotes"),
        ("fallbacks: claude:opus", "fallbacks", "list"),
        ("fallbacks: ['']", "fallbacks[0]", "empty"),
        ("server: 5", "server", "by name"),
        ("providers: [a]", "providers", "by name"),
        ("log: {level: warn}", "log.level", "did you mean `warning`?"),
        ("passes: [token-budget-check, token-budget-check]", "passes[1]", "twice"),
        ("aliases: {a: b, b: a}", "aliases.a", "back to itself"),
        ("aliases: {a: nonsense}", "aliases.a", "provider:model"),
        ("models: {'openai:x': {retired_on: soon}}", 'models["openai:x"].retired_on', "2026-10-23"),
        ("models: {'openai:x': {replaced_by: 'y:z'}}", 'models["openai:x"].replaced_by', "unknown provider"),
        ("prices: {'openai:x': {input_per_mtok: -1}}", 'prices["openai:x"].input_per_mtok', "at least 0"),
        (
            "prices: {'openai:x': [{}, {input_per_mtok: -1}]}",
            'prices["openai:x"][1].input_per_mtok',
            "at least 0",
        ),
        ("prices: {'openai:x': {from: soon}}", 'prices["openai:x"].from', "2026-10-23"),
        ("prices: {'openai:x': [{from: soon}]}", 'prices["openai:x"][0].from', "2026-10-23"),
        ("prices: {'openai:x': {from: 2026-12-01T10:00:00Z}}", 'prices["openai:x"].from', "2026-10-23"),
        ("prices: {'openai:x': {form: 2026-12-01}}", 'prices["openai:x"].form', "did you mean `from`?"),
        ("prices: {'openai:x': {from_: 2026-12-01}}", 'prices["openai:x"].from_', "did you mean `from`?"),
        ("prices: {'openai:x': []}", 'prices["openai:x"]', "empty"),
        ("prices: {'openai:x': 5}", 'prices["openai:x"]', "from, image_input_per_mtok"),
        ("prices: {'openai:x': [{}, {}]}", 'prices["openai:x"][1].from', "from which day on"),
        (
            "prices: {'openai:x': [{from: 2026-12-01}, {from: 2026-12-01}]}",
            'prices["openai:x"][1].from',
            "the same day",
        ),
        ("database: {url: 'mysql://h/d'}", "database.url", "postgresql://, sqlite://"),
        ("database: {url: lor3.db}", "database.url", "sqlite:///lor3.db"),
        ("redis: {url: 'redis://h:port'}", "redis.url", "redis://"),
        ("database: {url: 'postgresql://[h/d'}", "database.url", "host or port"),
        ("redis: {url: 'http://h'}", "redis.url", "redis://"),
        ("routing: {breaker: {open_s: 50}}", "routing.breaker.max_open_s", "at least"),
        ("server: {cors_origins: ['*']}", "server.cors_origins[0]", "every origin"),
        ("server: {cors_origins: ['https://a.b/c']}", "server.cors_origins[0]", "origin"),
        ("providers: {openai: {api_kye: x}}", "providers.openai.api_kye", "did you mean `api_key`?"),
        ("providers: {'a b': {kind: demo}}", 'providers["a b"]', "letters"),
        ("providers: {claude: {}, anthropic: {}}", "providers.anthropic", "keep one"),
        ("providers: {openai: {base_url: ftp://h}}", "providers.openai.base_url", "http"),
        ("providers: {openai: {base_url: 'http://h/?a=b'}}", "providers.openai.base_url", "query"),
        ("providers: {openai: {base_url: 'http://u@h/'}}", "providers.openai.base_url", "credentials"),
        ("providers: {openai: {connect_s: 0}}", "providers.openai.connect_s", "more than 0"),
        ("budgets: {user: 50}", "budgets.user", "write it as `50/day`"),
        ("budgets: {thread: {limit: 5}}", "budgets.thread", "write it as `50/day`"),
        ("budgets: {thread: [5/day, 5]}", "budgets.thread[1]", "write it as `50/day`"),
        ("budgets: {tenants: {acme: }}", "budgets.tenants.acme", "write it as `50/day`"),
        ("budgets: {tenant: [50/day, 60/day, soft 60/day]}", "budgets.tenant[1]", "second hard budget"),
        ("budgets: {user: [soft 5/total, soft 6/total]}", "budgets.user[1]", "second soft budget"),
        ("budgets: {tenants: {ac me: 5/day}}", 'budgets.tenants["ac me"]', "a tenant's name must be"),
        ("system: '${A B}'", "system", "variable's name"),
        ("system: '${A'", "system", "not closed"),
    ],
)
def test_one_fault_is_named_with_its_path(tmp_path: Path, text: str, path: str, says: str) -> None:
    """Each message says what to do."""
    found = faults(tmp_path, text)

    assert path in found
    assert says in found[path]


@pytest.mark.parametrize(
    ("name", "text", "lines"),
    [
        (
            "lor3.yaml",
            "max_tokens: 0\nserver:\n  port: 1\nseed: x\nserver:\n  port: 70000\n",
            {"max_tokens": 1, "seed": 4, "server": 5, "server.port": 6},
        ),
        (
            "lor3.json",
            '{"max_tokens": 0, "server": {"port": 1}, "seed": "x", "server": {"port": 70000}}',
            {"server": None, "max_tokens": None, "seed": None, "server.port": None},
        ),
    ],
)
def test_key_given_twice_hides_no_other_fault(
    tmp_path: Path, name: str, text: str, lines: dict[str, int | None]
) -> None:
    """Its last value is checked as the rest is, and it has its line."""
    (tmp_path / name).write_text(text)
    with pytest.raises(ConfigurationError) as caught:
        load_settings(config_path=None, environ={}, cwd=tmp_path)

    assert lines == {fault.path: fault.line for fault in caught.value.faults}


@pytest.mark.parametrize(
    ("name", "text", "path"),
    [
        ("LOR3_AUTH__USERS_MAY", "modl,", "auth.users_may[0]"),
        ("LOR3_FALLBACKS", "openai:x," + "x" * 257, "fallbacks[1]"),
        ("LOR3_BUDGETS__USER", "5/day," + "x" * 257, "budgets.user[1]"),
        ("LOR3_BUDGETS__USER", "5/day,6", "budgets.user[1]"),
    ],
)
def test_item_of_a_list_with_commas_is_refused(tmp_path: Path, name: str, text: str, path: str) -> None:
    """It is named by its position, and its origin is the variable."""
    found = faults(tmp_path, environ={name: text})

    assert [path] == [*found]
    assert name in found[path]


@pytest.mark.parametrize(
    "text",
    [
        "providers: {openai: {api_key: hunter2CANARY}}",
        "providers: {openai: {api_key: '${K:-hunter2CANARY}'}}",
        "providers: {openai: {api_key: 'x${K}hunter2CANARY'}}",
        "providers: {x: {kind: demo, client_secret: hunter2CANARY}}",
        "providers: {x: {kind: demo, headers: {Authorization: Bearer hunter2CANARY}}}",
        "database: {url: 'postgresql://u:hunter2CANARY@h/d'}",
        "database: {url: '${U:-postgresql://u:hunter2CANARY@h/d}'}",
        "database: {url: 'postgresql://h/d?password=hunter2CANARY'}",
        "redis: {url: 'redis://:hunter2CANARY@h'}",
        "system: use sk-hunter2CANARYhunter2CANARY",
        "providers: {openai: sk-hunter2CANARYhunter2CANARY}",
        '{"providers": {"openai": {"api_key": "hunter2CANARY"}}}',
        "database:\n  url: 'postgresql://u:hunter2CANARY@h/d'\n bad: indentation hunter2CANARY",
    ],
)
def test_secret_in_clear_text_is_refused_and_never_shown(tmp_path: Path, text: str) -> None:
    """The error says where it stands and how to write it, without quoting it."""
    assert faults(tmp_path, text, environ={"K": "k"})


@pytest.mark.parametrize(
    "text",
    [
        "providers: {openai: {api_key: '${K}'}}",
        "database: {url: 'postgresql://u:${K}@h/d'}",
        "database: {url: '${K:-sqlite:///x.db}'}",
        "providers: {x: {kind: demo, headers: {Authorization: 'Bearer ${K}'}}}",
        "database: {url: 'postgresql://u@h/d'}",
    ],
)
def test_secret_by_reference_is_accepted(tmp_path: Path, text: str) -> None:
    """A reference may stand for all of a value, or for its secret part."""
    (tmp_path / "lor3.yaml").write_text(text, encoding="utf-8")
    environ = {"K": "sqlite:///k.db"} if "K:-" in text else {"K": "k"}

    assert load_settings(config_path=None, environ=environ, cwd=tmp_path).source is not None


@pytest.mark.parametrize(
    ("text", "name", "says"),
    [
        ("a: 1\nb: [", "lor3.yaml", "line 2: not valid YAML"),
        ("primary: a\nprimary: b", "lor3.yaml", "on lines 1 and 2"),
        ("server:\n  port: 1\n  port: 2", "lor3.yaml", "on lines 2 and 3"),
        ('{"seed": 1, "seed": 2}', "lor3.json", "twice"),
        ('{"seed": 1,}', "lor3.json", "line 1: not valid JSON"),
        ('{"temperature": NaN}', "lor3.json", "NaN is not JSON"),
        ("- a", "lor3.yaml", "by name"),
        ("5", "lor3.json", "by name"),
        ("? [a]\n: b", "lor3.yaml", "must be text"),
        ("a: !!python/object:os.system {}", "lor3.yaml", "refused"),
        ("a: !!bool x", "lor3.yaml", "not valid YAML"),
        ("a: !!timestamp x", "lor3.yaml", "not valid YAML"),
        ("a: \x1f", "lor3.yaml", "control characters"),
        ("a: !!python/name:os.system x", "lor3.yaml", "not valid YAML"),
        ("[" * 100_000, "lor3.json", "deeply"),
        ("a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\n"
         "c: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\nd: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c]\n"
         "e: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d]\nf: [*e,*e,*e,*e,*e,*e,*e,*e,*e]", "lor3.yaml", "aliases"),
        ("a: &a [*a]", "lor3.yaml", "deeply"),
        ("#" * 1_100_000, "lor3.yaml", "1 MiB"),
    ],
)  # fmt: skip
def test_malformed_file_is_one_clear_fault(tmp_path: Path, text: str, name: str, says: str) -> None:
    """Never a traceback, never an expansion without end."""
    found = faults(tmp_path, text, name=name)

    assert any(says in f"{path}: {message}" for path, message in found.items()), found


def test_fault_at_the_end_of_the_text_is_named_with_its_line(tmp_path: Path) -> None:
    """A bracket that is never closed: there is no such line any more, and so nothing to quote."""
    (tmp_path / "lor3.yaml").write_text("primary: [\n")
    with pytest.raises(ConfigurationError, match="line 2: not valid YAML") as caught:
        load_settings(config_path=None, environ={}, cwd=tmp_path)

    assert [fault.line for fault in caught.value.faults] == [2]


def test_file_that_was_named_must_be_there(tmp_path: Path) -> None:
    """A missing file is not an empty one."""
    with pytest.raises(ConfigurationError, match=re.escape("nope.yaml can't be read: No such file")):
        load_settings(config_path=Path("nope.yaml"), environ={}, cwd=tmp_path)


def test_file_of_other_bytes_is_refused(tmp_path: Path) -> None:
    """UTF-16 and binary files are named as what they are not."""
    (tmp_path / "lor3.yaml").write_bytes("format: raw".encode("utf-16"))
    with pytest.raises(ConfigurationError, match="not UTF-8"):
        load_settings(config_path=None, environ={}, cwd=tmp_path)


@pytest.mark.parametrize(
    ("variable", "value", "path"),
    [
        ("LOR3_SERVER__PORT", "many", "server.port"),
        ("LOR3_SERVER__PROT", "1", "server.prot"),
        ("LOR3_SERVER____PORT", "1", "LOR3_SERVER____PORT"),
        ("LOR3_PROVIDERS", "{", "LOR3_PROVIDERS"),
        ("DATABASE_URL", "mysql://u:hunter2CANARY@h/d", "DATABASE_URL"),
        ("REDIS_URL", "hunter2CANARY", "REDIS_URL"),
        ("OPENAI_BASE_URL", "https://u:hunter2CANARY@h", "OPENAI_BASE_URL"),
        ("OPENAI_API_KEY", "hunter2CANARY\n", "providers.openai.api_key"),
    ],
)
def test_fault_in_a_variable_is_named(tmp_path: Path, variable: str, value: str, path: str) -> None:
    """The environment is checked as strictly as a file."""
    assert path in faults(tmp_path, "", environ={variable: value})


def test_default_prompt_is_a_reference_and_the_only_system_text(tmp_path: Path) -> None:
    """Whether there is such a prompt, only the store knows; whether it can be one, the file."""
    found = faults(tmp_path, "system_prompt: support agent\nvariables: [a]\n")
    doubled = faults(tmp_path, "system_prompt: support_agent@staging\nsystem: Be brief.\n")

    assert found["system_prompt"].startswith("`support agent` is no prompt reference; write `name`")
    assert "variables" in found
    assert "keep one of the two" in doubled["system_prompt"]
