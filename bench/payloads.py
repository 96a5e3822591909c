"""What travels in the benchmark: one prompt, one answer of about 100 tokens, as bytes made in advance."""

import itertools
import json
from typing import Literal, TypeAlias

from bench import composed

Dialect: TypeAlias = Literal["openai", "lor3", "lor3 with a prompt"]
"""How a server is spoken to: OpenAI's chat completions, or lor3's own `POST /chat`, without or with a stored prompt."""

MODEL = "gpt-5-mini"
PROMPT = (
    "A customer writes that the parcel shows as delivered but is not there. They have asked the neighbours "
    "and looked behind the house. What should they do next, and what can we offer them? Answer in one paragraph."
)
ANSWER = (
    "I am sorry that your parcel has not turned up. Carriers sometimes scan a parcel as delivered a day before "
    "it arrives, so please wait until tomorrow evening. If it is still missing, reply to this message with your "
    "order number and we will open a trace with the carrier the same day. A trace takes up to three working days. "
    "You do not have to wait for its end: we can send the same items again at no cost, or refund the whole amount "
    "to the card you paid with. Tell us which you prefer."
)
STREAM_CHUNKS = 50
_BREAK = "\r\n"


def _pieces() -> list[str]:
    """ANSWER cut into STREAM_CHUNKS pieces."""
    size, rest = divmod(len(ANSWER), STREAM_CHUNKS)
    edges = [index * size + min(index, rest) for index in range(STREAM_CHUNKS + 1)]
    return [ANSWER[start:end] for start, end in itertools.pairwise(edges)]


_USAGE = {
    "prompt_tokens": 51,
    "completion_tokens": 104,
    "total_tokens": 155,
    "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
    "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0},
}
_COMMON = {"id": "chatcmpl-BenchBenchBenchBenchBench", "created": 1790000000, "model": f"{MODEL}-2025-08-07"}
# The headers of api.openai.com that are on every answer; parsing them is part of a gateway's work.
_HEAD = (
    "HTTP/1.1 200 OK\r\n"
    "date: Sun, 01 Nov 2026 12:00:00 GMT\r\n"
    "content-type: {content_type}\r\n"
    "openai-processing-ms: 812\r\n"
    "openai-version: 2020-10-01\r\n"
    "x-ratelimit-limit-requests: 10000\r\n"
    "x-ratelimit-remaining-requests: 9999\r\n"
    "x-request-id: req_0123456789abcdef0123456789abcdef\r\n"
    "connection: keep-alive\r\n"
    "{framing}\r\n"
    "\r\n"
)


def whole_answer() -> bytes:
    """The upstream's HTTP response that is not streamed: head and body."""
    body = json.dumps(
        {
            **_COMMON,
            "object": "chat.completion",
            "choices": [
                {
                    "index": 0,
                    "message": {"role": "assistant", "content": ANSWER, "refusal": None, "annotations": []},
                    "logprobs": None,
                    "finish_reason": "stop",
                }
            ],
            "usage": _USAGE,
            "service_tier": "default",
            "system_fingerprint": None,
        },
        indent=2,  # as OpenAI sends it
    ).encode()
    framing = f"content-length: {len(body)}"
    return _HEAD.format(content_type="application/json", framing=framing).encode() + body


def stream_head() -> bytes:
    """The head of the upstream's SSE response, and its role chunk."""
    head = _HEAD.format(content_type="text/event-stream; charset=utf-8", framing="transfer-encoding: chunked")
    return head.encode() + _chunk({"role": "assistant", "content": ""}, None)


def stream_text(text: str) -> bytes:
    """One piece of a streamed answer, as one HTTP chunk."""
    return _chunk({"content": text}, None)


def stream_end() -> bytes:
    """The finish, the usage, the end mark and the end of the body."""
    usage = _event({"choices": [], "usage": _USAGE})
    return _chunk({}, "stop") + _http_chunk(usage) + _http_chunk(b"data: [DONE]\n\n") + b"0\r\n\r\n"


def streamed_answer() -> bytes:
    """The upstream's SSE response: a role chunk, STREAM_CHUNKS texts, the finish, the usage; one HTTP chunk each."""
    return stream_head() + b"".join(map(stream_text, _pieces())) + stream_end()


def _chunk(delta: dict[str, str], finish: str | None) -> bytes:
    choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
    return _http_chunk(_event({"choices": [choice], "usage": None}))


def _event(rest: dict[str, object]) -> bytes:
    data = {**_COMMON, "object": "chat.completion.chunk", "service_tier": "default", **rest}
    return b"data: " + json.dumps(data, separators=(",", ":")).encode() + b"\n\n"


def _http_chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


def path(dialect: Dialect) -> str:
    return "/v1/chat/completions" if dialect == "openai" else "/chat"


def request(dialect: Dialect, *, stream: bool, port: int, ask: str = PROMPT, key: str | None = None) -> bytes:
    """The whole HTTP request a client sends, head and body."""
    body: dict[str, object]
    if dialect == "openai":
        body = {"model": MODEL, "messages": [{"role": "user", "content": ask}], "stream": stream}
    else:
        body = {"prompt": ask, "stream": stream}
        if dialect != "lor3":
            body |= {"system_prompt": composed.NAME, "variables": composed.VARIABLES}
    payload = json.dumps(body).encode()
    head = (
        f"POST {path(dialect)} HTTP/1.1\r\n"
        f"Host: 127.0.0.1:{port}\r\n"
        "User-Agent: bench\r\n"
        "Accept: */*\r\n"
        "Content-Type: application/json\r\n"
        f"{f'Authorization: Bearer {key}{_BREAK}' if key else ''}"
        f"Content-Length: {len(payload)}\r\n"
        "\r\n"
    )
    return head.encode() + payload


def answer_in(dialect: Dialect, body: bytes, *, stream: bool) -> str:
    """The answer's text as a client would read it from a response body.

    Raises:
        ValueError: the body is not what the dialect promises; KeyError and TypeError where a field is missing.
    """
    if not stream:
        whole = json.loads(body)
        return str(whole["choices"][0]["message"]["content"] if dialect == "openai" else whole["output"])
    texts: list[str] = []
    finished = False
    for frame in body.decode().split("\n\n"):
        fields = dict(line.split(": ", 1) for line in frame.splitlines() if ": " in line)
        if fields.get("data") == "[DONE]" or fields.get("event") == "done":
            finished = True
        elif dialect == "openai" and "data" in fields:
            texts += [choice["delta"].get("content", "") for choice in json.loads(fields["data"])["choices"]]
        elif fields.get("event") == "delta":
            texts.append(json.loads(fields["data"])["text"])
    if not finished:
        raise ValueError("the stream ended without its last event")
    return "".join(texts)
