"""What a running server has imported: each of these costs memory in every worker and time at every start."""

from pathlib import Path

import pytest

from bench import database, servers
from bench.processes import cores

_UNUSED = {
    "adapters.prompts.foreign_documents": "only `lor3 prompt import` reads them",
    "alembic": "the schema is at its head",
    "anthropic": "the transport is `direct`",
    "domain.prompt.formats": "only `lor3 prompt import` reads them",
    "entrypoints.http.openapi": "nobody asked for /openapi.json",
    "genai_prices": "config/prices.json lists the model",
    "httpx2": "only the SDKs and genai-prices use it",
    "jsonschema": "no chat had a schema",
    "mdformat": "no chat asked for Markdown",
    "openai": "the transport is `direct`",
    "pydantic": "only the SDKs and genai-prices use it",
    "re2": "no chat had a schema",
    "redis": "no Redis is configured",
    "regex": "nothing had to be counted",
    "rich": "nothing is printed for a person",
    "sqlalchemy.orm": "lor3 has no mapped classes",
    "tiktoken": "nothing had to be counted",
}


@pytest.fixture(scope="module")
def imported(tmp_path_factory: pytest.TempPathFactory) -> frozenset[str]:
    """All modules of a server that answered one chat, on a database that an earlier one migrated."""
    folder: Path = tmp_path_factory.mktemp("server")
    with servers.upstream(core=cores()[1], folder=folder) as upstream, database.sqlite(folder) as store:
        lor3 = servers.Lor3(
            upstream_port=upstream.port, database=store, redis_url=None, folder=folder, core=cores()[0]
        )
        with lor3.serve() as server:
            log = server.log
        log.write_text("")
        with lor3.serve(extra={"PYTHONPROFILEIMPORTTIME": "1"}):
            pass
    lines = log.read_text().splitlines()
    # A module that `importlib` was asked for by name is not listed, but what it imports is.
    return frozenset(line.rpartition("|")[2].strip() for line in lines if line.startswith("import time:"))


def test_the_list_of_imports_is_that_of_a_server(imported: frozenset[str]) -> None:
    """Or the tests below would pass on an empty one."""
    assert {
        "aiohttp",
        "sqlalchemy",
        "adapters.providers.http_provider",
        "entrypoints.http.server",
    } <= imported


@pytest.mark.parametrize(("module", "reason"), _UNUSED.items())
def test_a_server_does_not_import(module: str, reason: str, imported: frozenset[str]) -> None:
    """What its configuration and its chats have no use for."""
    found = sorted(name for name in imported if name == module or name.startswith(f"{module}."))

    assert found == [], reason
