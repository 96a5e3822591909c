"""What a worker is started with."""

from pathlib import Path

import attrs

from entrypoints.cli.worker_start import as_started, worker_arguments
from entrypoints.configuration.load import load_settings
from entrypoints.reload import needs_restart
from entrypoints.settings import ServerSettings


def test_file_is_named_and_its_values_are_not_hidden(tmp_path: Path) -> None:
    """Only what was written as an option is passed on as one; a file that was found counts as named."""
    (tmp_path / "lor3.yaml").write_text("server: {workers: 2, port: 3100}")
    settings = load_settings(config_path=None, environ={}, cwd=tmp_path)
    arguments = worker_arguments(settings, 3100, ["--watch"], "/tmp/meeting")

    assert arguments == [
        *("serve", "--watch", "--config", str(tmp_path / "lor3.yaml"), "--meeting-place", "/tmp/meeting"),
        *("--started-as", "127.0.0.1", "3100", "2", "3100", "--worker"),
    ]


def test_what_the_supervisor_stands_on_stays_until_a_restart(tmp_path: Path) -> None:
    """Also for a worker that starts after the file has changed, which names what differs."""
    read = load_settings(config_path=None, environ={}, cwd=tmp_path)
    read = attrs.evolve(read, server=ServerSettings(host="0.0.0.0", port=4000, workers=3))  # noqa: S104 - not bound
    settings, claimed = as_started(read, ("127.0.0.1", 0, 2, 41234))

    assert (settings.server.host, settings.server.port, settings.server.workers) == ("127.0.0.1", 0, 2)
    assert claimed == 41234
    assert needs_restart(settings, read) == ("server.host", "server.port", "server.workers")
