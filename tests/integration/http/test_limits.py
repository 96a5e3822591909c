"""Bodies that are too large, too slow, of the wrong type, or no JSON (faults 61 to 64)."""

import asyncio
import json
import time
from pathlib import Path

import pytest

from entrypoints.settings import ServerSettings
from tests.support.http import parse, serving

HEAD = b"POST /chat HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
TEN_MB = 10 * 1024 * 1024


async def test_a_body_with_too_great_a_length_is_refused_before_it_is_read(tmp_path: Path) -> None:
    """413 on the head alone."""
    async with serving(tmp_path) as server:
        status, problem = parse(await server.raw(HEAD + b"Content-Length: %d\r\n\r\n" % TEN_MB))

    assert (status, problem["code"]) == (413, "body_too_large")


async def test_a_chunked_body_is_refused_at_the_limit(tmp_path: Path) -> None:
    """413 once the limit is passed, without the end of the body."""
    async with serving(tmp_path, server=ServerSettings(max_body_bytes=100_000)) as server:
        chunk = b"%x\r\n%s\r\n" % (60_000, b" " * 60_000)
        status, problem = parse(await server.raw(HEAD + b"Transfer-Encoding: chunked\r\n\r\n", chunk, chunk))

    assert (status, problem["code"]) == (413, "body_too_large")


async def test_a_body_of_exactly_the_limit_is_read(tmp_path: Path) -> None:
    """The limit is inclusive, in one segment or in many."""
    body = json.dumps({"prompt": "x" * 70_000}).encode()
    async with serving(tmp_path, server=ServerSettings(max_body_bytes=len(body))) as server:
        status, _ = await server.post_raw(body)
        chunked = HEAD + b"Connection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
        pieces = [
            b"%x\r\n%s\r\n" % (len(body[i : i + 999]), body[i : i + 999]) for i in range(0, len(body), 999)
        ]
        other, _ = parse(await server.raw(chunked, *pieces, b"0\r\n\r\n"))

    assert (status, other) == (200, 200)


@pytest.mark.parametrize(
    "framing", [b"Content-Length: 100\r\n\r\n{", b"Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n"]
)
async def test_a_stalled_body_is_a_408(framing: bytes, tmp_path: Path) -> None:
    """At `body_timeout_s`, with the connection closed."""
    async with serving(tmp_path, server=ServerSettings(body_timeout_s=0.3)) as server:
        started = time.monotonic()
        status, problem = parse(await server.raw(HEAD + framing))

    assert (status, problem["code"], problem["retryable"]) == (408, "request_timeout", True)
    assert 0.3 <= time.monotonic() - started


@pytest.mark.parametrize("sent", [b"", b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-A: "])
async def test_idle_connections_and_trickled_heads_are_closed(sent: bytes, tmp_path: Path) -> None:
    """At `idle_timeout_s`, whatever trickles in."""
    async with serving(tmp_path, server=ServerSettings(idle_timeout_s=0.5)) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        started = time.monotonic()
        writer.write(sent)
        for _ in range(300):
            if sent:
                writer.write(b"a")
            try:
                async with asyncio.timeout(0.1):
                    if await reader.read() == b"":
                        break
            except TimeoutError:
                continue
            except ConnectionResetError:
                break
        else:
            pytest.fail("the connection is still open")
        writer.transport.abort()

    assert 0.3 <= time.monotonic() - started


async def test_a_trickled_head_after_a_request_is_closed_too(tmp_path: Path) -> None:
    """The second request of a connection has the same time."""
    async with serving(tmp_path, server=ServerSettings(idle_timeout_s=0.5)) as server:
        started = time.monotonic()
        answered = await server.raw(
            b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n", b"GET /healthz HTTP/1.1\r\nX: "
        )

    assert answered.count(b"HTTP/1.1 200") == 1
    assert 0.3 <= time.monotonic() - started


@pytest.mark.parametrize(
    "content_type",
    ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "", "application/jsonx",
     "application/json; charset=utf-16", "application/json, text/plain"],
)  # fmt: skip
async def test_another_content_type_is_a_415(content_type: str, tmp_path: Path) -> None:
    """A page of another origin can send forms without a preflight, so they are refused (security 29)."""
    async with serving(tmp_path) as server:
        headers = {"Content-Type": content_type}
        async with server.client.post("/chat", data=b'{"prompt":"x"}', headers=headers) as response:
            problem = await response.json()

    assert (response.status, problem["code"]) == (415, "unsupported_media_type")


@pytest.mark.parametrize(
    "content_type", ["application/json; charset=utf-8", 'Application/JSON;charset="UTF-8"']
)
async def test_json_with_its_charset_is_read(content_type: str, tmp_path: Path) -> None:
    """As many clients send it."""
    async with serving(tmp_path) as server:
        headers = {"Content-Type": content_type}
        async with server.client.post("/chat", data=b'{"prompt":"x"}', headers=headers) as response:
            assert response.status == 200


@pytest.mark.parametrize("coding", [b"gzip", b"deflate", b"br", b"zstd", b"gzip, gzip", b"x"])
async def test_compressed_bodies_are_a_415(coding: bytes, tmp_path: Path) -> None:
    """Without unfolding a byte (security 22)."""
    async with serving(tmp_path) as server:
        status, problem = await server.post_raw(b"\x1f\x8b" + b"\0" * 100, b"Content-Encoding: " + coding)

    assert (status, problem["code"]) == (415, "unsupported_media_type")


async def test_a_client_that_waits_for_100_gets_it_when_its_body_is_welcome(tmp_path: Path) -> None:
    """And a refusal instead where the head tells enough."""
    async with serving(tmp_path) as server:
        expect = HEAD + b"Connection: close\r\nExpect: 100-continue\r\n"
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(expect + b"Content-Length: 14\r\n\r\n")
        async with asyncio.timeout(30):
            interim = await reader.readuntil(b"\r\n\r\n")
            writer.write(b'{"prompt":"x"}')
            answer = await reader.read()
        writer.close()
        refused = await server.raw(expect + b"Content-Length: %d\r\n\r\n" % TEN_MB)

    assert interim == b"HTTP/1.1 100 Continue\r\n\r\n"
    assert parse(answer)[0] == 200
    assert parse(refused)[0] == 413


NO_JSON = {
    "empty": b"",
    "white space": b"  \n",
    "no object": b'"hi"',
    "a list": b"[]",
    "null": b"null",
    "half": b'{"prompt": "hi"',
    "trailing": b'{"prompt": "hi"} x',
    "two objects": b'{"prompt": "hi"}{"prompt": "hi"}',
    "single quotes": b"{'prompt': 'hi'}",
    "a comma too many": b'{"prompt": "hi",}',
    "a comment": b'{"prompt": "hi" /* x */}',
    "a control character": b'{"prompt": "a\nb"}',
    "invalid UTF-8": b'{"prompt": "\xff\xfe"}',
    "overlong UTF-8": b'{"prompt": "\xc0\xaf"}',
    "a surrogate in UTF-8": b'{"prompt": "\xed\xa0\x80"}',
    "UTF-16": '{"prompt": "hi"}'.encode("utf-16"),
    "UTF-16 without a mark": '{"prompt": "hi"}'.encode("utf-16-le"),
    "UTF-32": '{"prompt": "hi"}'.encode("utf-32"),
    "a byte order mark": b'\xef\xbb\xbf{"prompt": "hi"}',
    "depth 1,100": b'{"prompt": "hi", "schema": ' + b'{"a":' * 1100 + b"1" + b"}" * 1101,
    "depth 33": b'{"prompt": "hi", "schema": ' + b'{"a":' * 32 + b"1" + b"}" * 33,
    "a million brackets": b"[" * 1_000_000,
    "NaN": b'{"prompt": "hi", "temperature": NaN}',
    "Infinity": b'{"prompt": "hi", "temperature": Infinity}',
    "minus Infinity": b'{"prompt": "hi", "temperature": -Infinity}',
    "1e999": b'{"prompt": "hi", "temperature": 1e999}',
    "5,000 digits": b'{"prompt": "hi", "seed": ' + b"9" * 5000 + b"}",
    "4,000 digits in a schema": b'{"prompt": "hi", "schema": {"const": ' + b"9" * 4000 + b"}}",
    "a duplicate key": b'{"prompt": "hi", "prompt": "ho"}',
    "a duplicate key inside": b'{"prompt": "hi", "metadata": {"a": "1", "a": "2"}}',
    "a lone surrogate": b'{"prompt": "\\ud800"}',
    "a lone surrogate as key": b'{"prompt": "hi", "metadata": {"\\udfff": "1"}}',
    "reversed surrogates": b'{"prompt": "\\udc00\\ud800"}',
    "a boolean as integer": b'{"prompt": "hi", "max_tokens": true}',
    "a fraction as integer": b'{"prompt": "hi", "max_tokens": 1.0}',
    "a string as number": b'{"prompt": "hi", "temperature": "0"}',
    "zero tokens": b'{"prompt": "hi", "max_tokens": 0}',
    "an empty prompt": b'{"prompt": " "}',
    "both": b'{"prompt": "hi", "messages": [{"role": "user", "content": "x"}]}',
    "neither": b"{}",
    "100,000 messages": b'{"messages": [' + b",".join([b'{"role":"user","content":"x"}'] * 100_000) + b"]}",
    "two million characters": b'{"prompt": "' + b"x" * 2_000_000 + b'"}',
    "a long unknown field": b'{"prompt": "hi", "' + b"x" * 100_000 + b'": 1}',
    "1,000 unknown fields": json.dumps({"prompt": "hi", **{f"f{i}": 1 for i in range(1000)}}).encode(),
}


@pytest.mark.parametrize("body", NO_JSON.values(), ids=NO_JSON.keys())
async def test_bad_input_is_a_400_and_never_a_500(body: bytes, tmp_path: Path) -> None:
    """One problem of a bounded size that names what is wrong (fault 64)."""
    async with serving(tmp_path) as server:
        status, problem = await server.post_raw(body)

    assert (status, problem["code"]) == (400, "invalid_request")
    assert problem["errors"]
    assert len(json.dumps(problem)) < 32_000


async def test_good_input_at_the_edges_is_read(tmp_path: Path) -> None:
    """Escapes, pairs, NUL, 32 levels and 64-bit integers are JSON."""
    bodies = [
        b'{"prompt": "\\ud83d\\ude00 \\u0000 \\u00e9"}',
        '{"prompt": "😀"}'.encode(),
        b'{"prompt": "hi", "format": "json", "schema": ' + b'{"not":' * 30 + b"{}" + b"}" * 31,
        b'{"prompt": "hi", "seed": -9223372036854775808, "temperature": 1e0, "model": null}',
    ]
    async with serving(tmp_path) as server:
        for body in bodies:
            status, problem = await server.post_raw(body)

            assert status == 200 or problem["code"] == "output_invalid", problem
