"""Where secrets never are, though chats, refusals and failures had them in hand and contents are logged."""

import pytest

from tests.faults.conftest import StartGateway
from tests.support.gateway import PROMPT, Gateway
from tests.support.keys import bearer, key_for, new_secret

PROVIDERS = ("openai", "anthropic")


async def _chats(gate: Gateway) -> None:
    """Answers, failures before and inside them, keys that the provider refuses, whole and streamed."""
    for provider in PROVIDERS:
        for stream in (False, True):
            assert (await gate.chat(f"{provider}:ok", stream=stream)).status == 200
            for fault in ("f06-500", "f09-401", "f12-400", "f14-policy"):
                assert (await gate.chat(f"{provider}:{fault}", stream=stream)).status >= 400
        assert (await gate.chat(f"{provider}:f36-error", stream=True)).status == 502
    assert (await gate.complete("openai:ok", []))[-1] is None


async def _refusals(gate: Gateway, secret: str) -> None:
    """Requests that are not let in, or not understood, with a secret wherever one is put by mistake."""
    chat = {"prompt": PROMPT, "model": "openai:ok"}
    refused = [
        await gate.ask("POST", "/chat", json=chat, headers=headers)
        for headers in (
            {},
            {"Authorization": secret},
            {"Authorization": f"Basic {secret}"},
            {"X-API-Key": secret},
            {"Cookie": f"key={secret}"},
            bearer(f"{secret}x"),
            bearer(secret[:-1]),
        )
    ]
    assert {401} == {reply.status for reply in refused}
    await gate.ask("POST", f"/chat?api_key={secret}", json=chat)
    strange = [
        await gate.ask("GET", "/threads?limit=x"),
        await gate.ask("POST", "/chat", json={**chat, "temperature": secret}),
        await gate.ask("POST", "/chat", json={**chat, "model": "nobody:m"}),
        await gate.ask("BREW", "/chat"),
    ]
    assert all(400 <= reply.status < 500 for reply in strange)


@pytest.mark.parametrize("kind", ["key", "token"])
async def test_secrets_are_nowhere(start: StartGateway, kind: str) -> None:
    """Providers' keys, API keys and browsers' tokens: in no log line, metric, row of any table or answer.

    Raw, as base64 and as in a URL, looked for where `gateway` ends. One that a caller tells the model is in the thread, and
    taken out of the log.
    """
    told = new_secret()
    async with start(logs_content=True) as gate:
        key = new_secret()
        await gate.application.store.keys.add(key_for(key))
        gate.credential = key
        gate.secrets.append(key)
        gate.told_secrets.append(told)
        if kind == "token":
            async with gate.client.post(
                f"{gate.url}/tokens", json={"user": "ada"}, headers=bearer(key)
            ) as made:
                gate.credential = (await made.json())["token"]
            gate.secrets.append(gate.credential)
        await _chats(gate)
        await _refusals(gate, gate.credential)
        assert (await gate.ask("GET", f"/threads/{told}")).status == 404  # which names what was asked for
        prompt = f'Call it: {{\\"key\\": \\"{told}\\"}}, or --token {told}. {PROMPT}'
        assert (await gate.chat("openai:ok", prompt=prompt)).status == 200
        assert any(told in str(row["content"]) for row in gate.rows("messages"))
