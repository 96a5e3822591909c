"""What docs/storage.md tells an operator to do, done."""

import re
from pathlib import Path

import psycopg
from sqlalchemy.engine import make_url

from adapters.persistence.store import create
from tests.support.records import new_chat, store_config

_PAGE = (Path(__file__).resolve().parents[3] / "docs" / "storage.md").read_text("utf-8")
_SQL = re.findall(r"```sql\n(.*?)```", _PAGE, re.DOTALL)
_ROLES, _BY_HAND, _LIMITS = _SQL


async def test_roles_of_the_page_migrate_and_serve(empty_postgres_url: str, postgres_admin_url: str) -> None:
    """The owner migrates, the other serves with no right beyond rows; by hand the setting shows them."""
    database = make_url(empty_postgres_url).database
    admin = make_url(postgres_admin_url).set(database=database)
    owner = make_url(empty_postgres_url).set(username="lor3_owner", password="change-me")
    serving = owner.set(username="lor3_serving", password="change-me-too")
    with psycopg.connect(admin.render_as_string(hide_password=False), autocommit=True) as connection:
        connection.execute(_ROLES.encode())
        connection.execute(_LIMITS.encode())
        try:
            migrating = create(store_config(owner.render_as_string(hide_password=False)))
            applied = await migrating.upgrade()
            await migrating.aclose()
            store = create(store_config(serving.render_as_string(hide_password=False)))
            await store.start()
            await store.journal.commit(new_chat())
            await store.aclose()
            with psycopg.connect(owner.render_as_string(hide_password=False), autocommit=True) as by_hand:
                unsaid = by_hand.execute("SELECT count(*) FROM messages").fetchone()
                setting, count = _BY_HAND.strip().splitlines()
                by_hand.execute(setting.encode())
                said = by_hand.execute(count.encode()).fetchone()
        finally:
            for role in ("lor3_serving", "lor3_owner"):
                connection.execute(f"DROP OWNED BY {role} CASCADE")
                connection.execute(f"DROP ROLE {role}")

    assert applied
    assert [(0,), (2,)] == [unsaid, said]
