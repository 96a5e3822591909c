"""How connections come in."""

import asyncio
import socket
from typing import cast

import attrs
import uvloop
from aiohttp import web

from entrypoints.http.listening import ACCEPTORS, listening
from tests.support.servers import free_port

TURNS = 4


@attrs.define
class CountingRunner:
    """Stands for aiohttp's: its server makes the protocols."""

    made: int = 0

    def server(self) -> asyncio.Protocol:
        self.made += 1
        return asyncio.Protocol()


async def accepted_in_a_few_turns(port: int) -> int:
    """Of a crowd that came while the loop was busy."""
    runner = CountingRunner()
    async with listening(cast("web.AppRunner", runner), "127.0.0.1", port, reuse_port=False):
        crowd = [socket.create_connection(("127.0.0.1", port)) for _ in range(ACCEPTORS)]
        for _ in range(TURNS):
            await asyncio.sleep(0)
        for each in crowd:
            each.close()
    return runner.made


def test_a_crowd_is_let_in_at_once() -> None:
    """uvloop alone would take one in a turn of its loop, and a busy loop's turns are long."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        assert TURNS < runner.run(accepted_in_a_few_turns(free_port())) <= ACCEPTORS


async def test_nobody_is_let_in_afterwards() -> None:
    """The port is free again."""
    port = free_port()
    async with listening(cast("web.AppRunner", CountingRunner()), "127.0.0.1", port, reuse_port=False):
        socket.create_connection(("127.0.0.1", port)).close()
    with socket.socket() as probe:
        assert 0 != probe.connect_ex(("127.0.0.1", port))
