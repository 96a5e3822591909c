"""What is shipped: a wheel that works anywhere, and code that keeps to what it may do."""

import ast
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("lor3", "domain", "application", "adapters", "entrypoints")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel's content, unpacked."""
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    (built,) = folder.glob("*.whl")
    unpacked = folder / "unpacked"
    with zipfile.ZipFile(built) as archive:
        archive.extractall(unpacked)
    return unpacked


def _run(code: list[str], folder: Path, path: Path) -> subprocess.CompletedProcess[str]:
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("LOR3_", "OPENAI_", "ANTHROPIC_"))
    }
    return subprocess.run(
        [sys.executable, *code],
        cwd=folder,
        env={**kept, "PYTHONPATH": str(path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_wheel_holds_the_packages_and_the_data_and_no_tests(wheel: Path) -> None:
    """The five packages, each typed; the data of config and migrations; nothing else."""
    tops = {path.name for path in wheel.iterdir() if not path.name.endswith(".dist-info")}

    assert set(PACKAGES) == tops
    assert all((wheel / package / "py.typed").exists() for package in PACKAGES)
    assert (wheel / "lor3/data/config/models.yaml").exists()
    assert (wheel / "lor3/data/config/prompts/support_agent.yaml").exists()
    assert list((wheel / "lor3/data/migrations/versions").glob("0001*.py"))
    assert (wheel / "entrypoints/http/static").is_dir()


def test_wheel_answers_outside_the_checkout(wheel: Path, tmp_path: Path) -> None:
    """Catalogue, migrations and plugins are found where pip puts them."""
    done = _run(["-m", "lor3", "run", "--prompt", "Hello", "--json"], tmp_path, wheel)

    assert done.returncode == 0, done.stderr
    assert '"demo:demo"' in done.stdout
    assert (tmp_path / "lor3.db").exists()


def test_another_projects_package_is_named(wheel: Path, tmp_path: Path) -> None:
    """A `domain` in the working directory shadows lor3's: it must say so rather than fail somewhere inside."""
    (tmp_path / "domain").mkdir()
    (tmp_path / "domain/__init__.py").touch()
    done = _run(["-m", "lor3", "--version"], tmp_path, wheel)

    assert done.returncode == 1
    assert f"{tmp_path}/domain/__init__.py" in done.stderr


def test_import_needs_no_network(tmp_path: Path) -> None:
    """Importing everything opens no socket."""
    code = (
        "import socket\n"
        "def refuse(*_, **__): raise AssertionError('a socket was opened')\n"
        "socket.socket.connect = refuse; socket.getaddrinfo = refuse\n"
        "import lor3.testing, entrypoints.http.server, entrypoints.cli.main, adapters.persistence.store\n"
        "import adapters.providers.openai.sdk, adapters.providers.anthropic.sdk\n"
    )
    done = _run(["-c", code], tmp_path, ROOT)

    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("package", PACKAGES)
def test_code_runs_nothing_that_data_names(package: str) -> None:
    """No eval, exec, pickle or dynamic import; processes are started by the supervisor of workers alone."""
    found: list[str] = []
    for path in sorted((ROOT / package).rglob("*.py")):
        where = str(path.relative_to(ROOT))
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            found += [f"{where}: {name}" for name in _forbidden(node)]

    assert [each for each in found if each not in ALLOWED] == []


ALLOWED = (
    # Starts `python -m lor3 serve` again, with arguments of its own making.
    "entrypoints/cli/supervisor.py: subprocess",
    "entrypoints/cli/supervisor.py: create_subprocess_exec",
    # Commands are imported when they are called, from a table of constants.
    "entrypoints/cli/main.py: import_module",
    # Writes a copier of a class from the names of its fields, as attrs writes constructors.
    "domain/values.py: exec",
)


def _forbidden(node: ast.AST) -> list[str]:
    modules = ("pickle", "marshal", "shelve", "subprocess", "runpy")
    calls = (
        "eval",
        "exec",
        "__import__",
        "import_module",
        "system",
        "popen",
        "create_subprocess_exec",
        "create_subprocess_shell",
    )
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names if alias.name.partition(".")[0] in modules]
    if isinstance(node, ast.ImportFrom):
        return [node.module] if node.module is not None and node.module.partition(".")[0] in modules else []
    if isinstance(node, ast.Call):
        name = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
        return [name] if name in calls else []
    return []
