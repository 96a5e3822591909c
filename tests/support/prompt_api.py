"""Calls to the routes of prompts, with whatever they answer read."""

import io
import json
from collections.abc import Mapping
from typing import Any

import attrs
from yarl import URL

from tests.support.http import Server


@attrs.frozen(kw_only=True)
class Answered:
    status: int
    headers: Mapping[str, str]
    raw: bytes

    @property
    def body(self) -> Any:
        return json.loads(self.raw)

    @property
    def code(self) -> str:
        return str(self.body["code"])

    @property
    def paths(self) -> list[str]:
        """Those of the faults."""
        return [fault["path"] for fault in self.body["errors"]]

    @property
    def etag(self) -> str:
        return self.headers["ETag"]


@attrs.frozen
class PromptAPI:
    _server: Server

    async def call(
        self, method: str, path: str, body: Any = None, *, headers: Mapping[str, str] | None = None
    ) -> Answered:
        """`path` goes out as it is written."""
        url = URL(f"http://127.0.0.1:{self._server.port}{path}", encoded=True)
        sent = dict(headers or {})
        data = None
        if body is not None:
            sent["Content-Type"] = "application/json"
            data = io.BytesIO(json.dumps(body).encode())
        async with self._server.client.request(method, url, data=data, headers=sent) as response:
            return Answered(status=response.status, headers=response.headers, raw=await response.read())

    async def get(self, path: str, **headers: str) -> Answered:
        return await self.call("GET", path, headers=headers)

    async def version(
        self, name: str, source: str | dict[str, Any], *, headers: Mapping[str, str] | None = None
    ) -> Answered:
        """Posts a version; a string is its template."""
        body = {"template": source} if isinstance(source, str) else source
        return await self.call("POST", f"/prompts/{name}/versions", body, headers=headers)

    async def label(
        self, name: str, label: str, body: Any, *, headers: Mapping[str, str] | None = None
    ) -> Answered:
        return await self.call("PUT", f"/prompts/{name}/labels/{label}", body, headers=headers)

    async def render(self, reference: str, **body: Any) -> Answered:
        return await self.call("POST", f"/prompts/{reference}/render", body)
