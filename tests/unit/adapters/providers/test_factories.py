"""What the factories of the HTTP providers accept."""

import subprocess
import sys
from typing import Any

import pytest

from adapters.providers.anthropic.provider import create as create_anthropic
from adapters.providers.openai.provider import create as create_openai
from adapters.providers.openai.provider import create_compatible
from adapters.testing.chat_provider_suite import call_for
from application.ports.chat_provider import ProviderConfig
from domain.errors import ConfigurationError
from domain.secret import Secret


def _config(kind: str, **fields: Any) -> ProviderConfig:
    given: dict[str, Any] = {"name": "p", "kind": kind, "api_key": Secret("sk-1")} | fields
    return ProviderConfig(**given)


@pytest.mark.parametrize(
    ("create", "config", "paths"),
    [
        (create_openai, _config("openai", api_key=None), ["providers.p.api_key"]),
        (create_anthropic, _config("anthropic", api_key=None), ["providers.p.api_key"]),
        (create_openai, _config("openai", api_key=Secret("")), ["providers.p.api_key"]),
        (create_openai, _config("openai", api_key=Secret("a\r\nX-Evil: 1")), ["providers.p.api_key"]),
        (create_openai, _config("openai", api_key=Secret("schlüssel")), ["providers.p.api_key"]),
        (create_openai, _config("openai", base_url="ftp://x"), ["providers.p.base_url"]),
        (create_openai, _config("openai", base_url="https://u:p@x/v1"), ["providers.p.base_url"]),
        (create_openai, _config("openai", base_url="https://x/v1?a=b"), ["providers.p.base_url"]),
        (create_openai, _config("openai", base_url="https://x:99999/v1"), ["providers.p.base_url"]),
        (create_openai, _config("openai", base_url="not a url"), ["providers.p.base_url"]),
        (create_openai, _config("openai", options={"project": 5, "x": 1}), ["providers.p.x", "providers.p.project"]),
        (create_anthropic, _config("anthropic", options={"x": 1}), ["providers.p.x"]),
        (create_compatible, _config("openai-compatible", api_key=None), ["providers.p.base_url"]),
        (
            create_compatible,
            _config("openai-compatible", api_key=None, transport="sdk", options={"stream_usage": "yes"}),
            ["providers.p.stream_usage", "providers.p.base_url", "providers.p.transport"],
        ),
    ],
)  # fmt: skip
def test_faulty_entries_are_refused_with_every_path(
    create: Any, config: ProviderConfig, paths: list[str]
) -> None:
    """All faults at once, none showing a value."""
    with pytest.raises(ConfigurationError) as caught:
        create(config)

    assert paths == [fault.path for fault in caught.value.faults]
    assert "Evil" not in str(caught.value)


def test_a_compatible_server_needs_no_key() -> None:
    """Ollama has none: no Authorization header goes out."""
    provider = create_compatible(
        _config("openai-compatible", api_key=None, base_url="http://localhost:11434/v1/")
    )

    endpoint = provider.endpoint_of(call_for())
    assert endpoint.url == "http://localhost:11434/v1/chat/completions"
    assert "authorization" not in {name.lower() for name, _ in endpoint.headers}


def test_usage_in_streams_can_be_left_unasked() -> None:
    """For servers that refuse stream_options."""
    config = _config("openai-compatible", base_url="http://x/v1", options={"stream_usage": False})

    assert "stream_options" not in create_compatible(config).lower(call_for(stream=True)).body


@pytest.mark.parametrize(
    ("create", "kind", "url"),
    [
        (create_openai, "openai", "https://api.openai.com/v1/chat/completions"),
        (create_anthropic, "anthropic", "https://api.anthropic.com/v1/messages"),
    ],
)
def test_the_vendors_own_url_is_the_default(create: Any, kind: str, url: str) -> None:
    """And explain shows it."""
    assert url == create(_config(kind)).lower(call_for()).url


def test_no_representation_holds_the_key() -> None:
    """Neither of the provider nor of what it is made of."""
    provider = create_openai(_config("openai", api_key=Secret("sk-CANARY")))

    assert "CANARY" not in repr(provider)
    assert "CANARY" not in repr(provider.endpoint_of(call_for()))


def test_the_direct_transport_imports_no_sdk() -> None:
    """They cost seconds and tens of megabytes."""
    program = (
        "import sys\n"
        "from adapters.providers.openai.provider import create\n"
        "from adapters.providers.anthropic.provider import create as other\n"
        "from adapters.providers.demo.provider import create as demo\n"
        "from application.ports.chat_provider import ProviderConfig\n"
        "from domain.secret import Secret\n"
        "for make in (create, other, demo):\n"
        "    make(ProviderConfig(name='p', kind='p', api_key=Secret('k')))\n"
        "loaded = {'openai', 'anthropic', 'httpx2', 'pydantic'} & set(sys.modules)\n"
        "sys.exit(f'loaded: {loaded}' if loaded else 0)\n"
    )

    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False
    )

    assert (done.returncode, done.stderr) == (0, "")
