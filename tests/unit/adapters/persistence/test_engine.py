"""Which database URLs are taken, and what an error about one shows."""

import pytest

from adapters.persistence.engine import Database
from domain.errors import ConfigurationError
from tests.support.records import store_config


@pytest.mark.parametrize(
    ("url", "kind"),
    [
        ("postgresql://u:p@db.test:5433/lor3", "postgresql"),
        ("postgres://u@db.test/lor3", "postgresql"),
        ("postgresql+psycopg://u@db.test/lor3?sslmode=require", "postgresql"),
        ("sqlite:///lor3.db", "sqlite"),
        ("sqlite:////var/lib/lor3.db", "sqlite"),
    ],
)
def test_usual_urls_are_taken(url: str, kind: str) -> None:
    """With or without a driver, and by the short name that many hosts hand out."""
    assert kind == Database.of(store_config(url)).kind


@pytest.mark.parametrize(
    ("url", "remedy"),
    [
        ("", "write `postgresql://"),
        ("s3cret", "write `postgresql://"),
        ("postgresql://u:s3cret@db.test:port/lor3", "write `postgresql://"),
        ("mysql://u:s3cret@db.test/lor3", "serves `postgresql` and `sqlite`"),
        ("sqlite://", "sqlite:///lor3.db"),
        ("sqlite:///:memory:", "sqlite:///lor3.db"),
        ("sqlite:///lor3.db?mode=ro", "sqlite:///lor3.db"),
    ],
)
def test_unusable_url_is_refused_without_being_shown(url: str, remedy: str) -> None:
    """The message says what to write instead, and holds no part of the URL that could be secret."""
    with pytest.raises(ConfigurationError) as caught:
        Database.of(store_config(url))

    assert remedy in str(caught.value)
    assert "database.url" in str(caught.value)
    assert "s3cret" not in str(caught.value)


def test_own_connection_options_are_kept() -> None:
    """What an operator put into the URL's `options` comes after ours, so it wins."""
    database = Database.of(store_config("postgresql://u@db.test/lor3?options=-c%20statement_timeout%3D9000"))
    options = database._postgresql_options()["options"]

    assert options == "-c statement_timeout=2000 -c lock_timeout=500 -c statement_timeout=9000"
