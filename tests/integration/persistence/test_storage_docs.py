"""What docs/storage.md tells an operator to do, done."""

import datetime
import os
import re
import subprocess
from pathlib import Path

import psycopg
from sqlalchemy.engine import make_url

from adapters.persistence.store import create
from tests.support.months import Past
from tests.support.records import new_chat, store_config
from tests.support.servers import BINARIES

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


def test_dump_of_the_page_holds_every_row(postgres_url: str, empty_postgres_url: str, tmp_path: Path) -> None:
    """As the owner, whom the policies bind; and it can be restored."""
    past = Past(postgres_url)
    moment = datetime.datetime.now(datetime.UTC)
    past.thread(moment, tenant="acme")
    past.thread(moment, tenant="globex")
    past.close()
    (command,) = re.findall(r"^PGOPTIONS=.*$", _PAGE, re.MULTILINE)
    plain = re.sub(r"lor3 > lor3\.sql$", '"$SOURCE" > lor3.sql', command)
    for shell in (plain, 'psql -q -v ON_ERROR_STOP=1 "$TARGET" < lor3.sql'):
        subprocess.run(
            ["/bin/sh", "-c", shell],
            check=True,
            cwd=tmp_path,
            stdout=subprocess.DEVNULL,
            env={
                "PATH": f"{BINARIES}:{os.environ['PATH']}",
                "SOURCE": postgres_url,
                "TARGET": empty_postgres_url,
            },
        )
    restored = Past(empty_postgres_url)

    assert ["acme", "globex"] == restored.run("SELECT tenant FROM messages ORDER BY 1")
    assert [True] == restored.run("SELECT relforcerowsecurity FROM pg_class WHERE relname = 'messages'")
    restored.close()
