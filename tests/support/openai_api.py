"""A lor3 whose providers are a local upstream, and OpenAI's own SDK as its client."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import attrs
from openai import AsyncOpenAI

from tests.support.http import ScriptedSendChat, Server, serving
from tests.support.wire_upstream import Reply, WireUpstream, wire_upstream

HI: Any = [{"role": "user", "content": "Hi"}]
_CONFIG = """
primary: {primary}
fallbacks: {fallbacks}
providers:
  openai: {{kind: openai, base_url: "{url}/v1", api_key: "${{KEY}}"}}
  anthropic: {{kind: anthropic, base_url: "{url}", api_key: "${{KEY}}"}}
  local: {{kind: openai-compatible, base_url: "{url}/v1"}}
"""


@attrs.frozen(kw_only=True)
class OpenAIAPI:
    server: Server
    client: AsyncOpenAI
    upstream: WireUpstream

    @property
    def sent(self) -> Any:
        """The body of the last call that a provider got."""
        return self.upstream.received[-1].json


@asynccontextmanager
async def openai_api(
    folder: Path,
    *,
    reply: Reply | None = None,
    primary: str = "openai:gpt-x",
    fallbacks: Sequence[str] = (),
    send_chat: ScriptedSendChat | None = None,
) -> AsyncIterator[OpenAIAPI]:
    """Retries of the SDK are off: a test wants to see what comes first."""
    async with wire_upstream(reply) as upstream:
        names = "[" + ", ".join(f'"{each}"' for each in fallbacks) + "]"
        config = _CONFIG.format(primary=primary, fallbacks=names, url=upstream.url)
        (folder / "lor3.yaml").write_text(config, "utf-8")
        async with (
            serving(folder, send_chat=send_chat, environ={"KEY": "sk-x"}) as server,
            AsyncOpenAI(
                base_url=f"http://127.0.0.1:{server.port}/v1", api_key="any", max_retries=0
            ) as client,
        ):
            yield OpenAIAPI(server=server, client=client, upstream=upstream)
