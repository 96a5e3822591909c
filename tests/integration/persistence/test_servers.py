"""The servers that tests bring, and the wall around them."""

import asyncio
import socket

import psycopg
import pytest
import redis


def test_each_test_has_a_migrated_database_of_its_own(postgres_url: str) -> None:
    """Empty, with all tables."""
    with psycopg.connect(postgres_url) as connection:
        assert connection.execute("SELECT count(*) FROM messages").fetchone() == (0,)
        connection.execute("DELETE FROM alembic_version")


@pytest.mark.parametrize("_round", [1, 2])
def test_redis_is_empty_for_each_test(redis_url: str, _round: int) -> None:
    """Whatever a test left is gone."""
    with redis.Redis.from_url(redis_url) as client:
        assert client.dbsize() == 0
        client.set("left", "over")


async def test_network_ends_at_loopback() -> None:
    """By address and by name, blocking and not; an error, never a wait."""
    for attempt in (
        lambda: socket.create_connection(("192.0.2.1", 80), timeout=1),
        lambda: socket.create_connection(("example.com", 80), timeout=1),
        lambda: socket.getaddrinfo("example.com", 443),
    ):
        with pytest.raises(ConnectionRefusedError, match="only loopback"):
            attempt()
    for host in ("192.0.2.1", "example.com"):
        with pytest.raises(ConnectionRefusedError, match="only loopback"):
            await asyncio.open_connection(host, 80)
