"""What the documents show is what happens."""

import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from entrypoints.configuration.load import load_settings
from tests.support.forked_lor3 import lor3_on_path

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text("utf-8")
TOURS = (
    "README.md",
    "docs/prompts.md",
    "docs/threads.md",
    "docs/memory.md",
    "docs/feedback.md",
    "docs/streaming.md",
    "docs/openai.md",
    "docs/ai-sdk.md",
    "docs/limits.md",
    "docs/budgets.md",
    "docs/costs.md",
    "docs/observe.md",
    "docs/operations.md",
    "docs/keys.md",  # last: from its first key on every request needs one
)
"""The pages whose console blocks are run, in this order."""
BIN = Path(sys.executable).parent


def _console(text: str) -> list[tuple[str, str]]:
    """Each command of the console blocks, lines that go on with `>` included, with the output shown under it."""
    shown: list[tuple[str, str]] = []
    for block in re.findall(r"```console\n(.*?)```", text, re.DOTALL):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, _, output = part.partition("\n")
            while output.startswith("> "):
                line, _, output = output.removeprefix("> ").partition("\n")
                command += f"\n{line}"
            shown.append((command, output))
    return shown


def _python(page: str) -> list[str]:
    return re.findall(r"```python\n(.*?)```", (ROOT / page).read_text("utf-8"), re.DOTALL)


def _matches(expected: str, actual: str) -> bool:
    """`…` stands for anything, line breaks included."""
    pattern = ".*".join(re.escape(piece) for piece in expected.strip().split("…"))
    return re.fullmatch(pattern, actual.strip(), re.DOTALL) is not None


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, dict[str, str], int]]:
    """A folder, an environment without keys and a running `lor3 serve`."""
    folder = tmp_path_factory.mktemp("readme")
    tools = folder / "bin"
    tools.mkdir()
    curl = tools / "curl"
    curl.write_text(f'#!/bin/sh\nexec "{sys.executable}" -P "{ROOT}/tests/support/curl.py" "$@"\n')
    curl.chmod(0o755)
    environ = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("LOR3_", "OPENAI_", "ANTHROPIC_"))
        and name not in ("DATABASE_URL", "REDIS_URL")
    }
    environ["PATH"] = f"{tools}:{BIN}:{environ['PATH']}"
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    lor3 = shutil.which("lor3", path=str(BIN))
    assert lor3 is not None
    work = folder / "work"
    shutil.copytree(ROOT / "config" / "prompts", work / "config" / "prompts")
    server = subprocess.Popen(
        [lor3, "serve", "--port", str(port)],
        cwd=work,
        env=environ,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        _wait_until_ready(port)
        with lor3_on_path(tools) as variables:
            yield work, environ | variables, port
    finally:
        server.terminate()
        assert server.wait(30) == 0


def _wait_until_ready(port: int) -> None:
    for _ in range(300):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz"):
                return
        except OSError:
            time.sleep(0.1)
    raise AssertionError("lor3 serve was not ready after 30 s")


def _commands() -> list[tuple[str, str]]:
    return [shown for page in TOURS for shown in _console((ROOT / page).read_text("utf-8"))]


@pytest.mark.parametrize(("command", "output"), _commands())
def test_commands_of_the_tours_print_what_is_shown(
    environment: tuple[Path, dict[str, str], int], command: str, output: str
) -> None:
    """Run in order, in one folder that holds the example prompts, against one server; variables stay set."""
    folder, environ, port = environment
    script = (
        f"set -a\n[ ! -f .shell ] || . ./.shell\n{command.replace(':3000', f':{port}')}\nexport -p > .shell"
    )
    done = subprocess.run(
        ["/bin/sh", "-c", script],
        cwd=folder,
        env=environ,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert _matches(output, done.stdout), (
        f"the page shows\n{output}\nbut it prints\n{done.stdout}\n{done.stderr}"
    )


def test_configurations_of_the_readme_load(tmp_path: Path) -> None:
    """Copied as they stand, with the variables set."""
    examples = re.findall(r"```yaml\n(.*?)```", README, re.DOTALL)
    environ = {
        "DATABASE_URL": "postgresql://u:p@127.0.0.1/lor3",
        "REDIS_URL": "redis://127.0.0.1/0",
        "OPENAI_API_KEY": "x",
        "ANTHROPIC_API_KEY": "x",
    }
    for example in examples:
        (tmp_path / "lor3.yaml").write_text(example, "utf-8")
        settings = load_settings(config_path=None, environ=environ, cwd=tmp_path)

        assert settings.warnings == ()
    assert len(examples) == 1


@pytest.mark.parametrize("program", _python("docs/testing.md"))
def test_programs_of_the_testing_page_run(tmp_path: Path, program: str) -> None:
    """Each is whole: it can be copied into a file and run."""
    path = tmp_path / "program.py"
    path.write_text(program, "utf-8")
    done = subprocess.run(
        [sys.executable, str(path)], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
    )

    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    "page", sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")]), ids=lambda page: page.name
)
def test_links_between_documents_lead_somewhere(page: Path) -> None:
    """A page that moved takes its links along."""
    links = re.findall(r"\]\((?!https?:|#)([^)#]+)", page.read_text("utf-8"))

    assert [link for link in links if not (page.parent / link).exists()] == []
