"""Counting with tiktoken, offline."""

import inspect
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from tiktoken_ext.openai_public import ENCODING_CONSTRUCTORS  # type: ignore[import-untyped] # it ships no types

from adapters.tokens import rank_files
from adapters.tokens.rank_files import RANK_FILES, RanksUnavailable, provide
from adapters.tokens.tiktoken_meter import TiktokenMeter
from domain.message import Message
from domain.model import ModelRef, ModelSpec
from tests.support.spent import cpu_below

_REF = ModelRef("openai", "any")
O200K = ModelSpec(ref=_REF, encoding="o200k_base")
CL100K = ModelSpec(ref=_REF, encoding="cl100k_base")


@pytest.mark.parametrize("encoding", list(RANK_FILES))
def test_the_table_is_tiktokens_own(encoding: str) -> None:
    """Another URL or hash in a new tiktoken would mean a download."""
    source = inspect.getsource(ENCODING_CONSTRUCTORS[encoding])

    assert f'"{RANK_FILES[encoding].url}"' in source
    assert f'"{RANK_FILES[encoding].sha256}"' in source


@pytest.mark.parametrize(
    ("text", "o200k", "cl100k"),
    [
        ("hello world", 2, 2),
        ("tiktoken is great!", 6, 6),
        ("antidisestablishmentarianism", 6, 6),
        ("お誕生日おめでとう", 8, 9),
    ],
)
def test_known_counts(text: str, o200k: int, cl100k: int) -> None:
    """As OpenAI's cookbook lists them."""
    meter = TiktokenMeter()

    assert o200k == meter.count_text(text, O200K).tokens
    assert cl100k == meter.count_text(text, CL100K).tokens


def test_a_message_counts_as_the_cookbook_says() -> None:
    """Three for the frame, one for the role, and the text."""
    assert TiktokenMeter().count_message(Message.of("user", "hello world"), O200K).tokens == 6


def test_special_tokens_are_plain_text() -> None:
    """A user who writes one gets no control over the prompt."""
    assert TiktokenMeter().count_text("<|endoftext|>", O200K).tokens > 1


def test_an_unknown_encoding_is_estimated_without_a_download() -> None:
    """p50k_base exists in tiktoken, but its ranks are not here."""
    count = TiktokenMeter().count_text("hello world", ModelSpec(ref=_REF, encoding="p50k_base"))

    assert count.tokens == 2
    assert count.estimated


def test_a_fresh_process_counts_without_any_socket(tmp_path: Path) -> None:
    """Not even a name is looked up, and bpe_openai's library is not loaded."""
    code = f"""
import socket, sys
def refuse(*a, **k): raise SystemExit("network")
socket.socket.connect = socket.getaddrinfo = socket.create_connection = refuse
from pathlib import Path
from adapters.tokens.tiktoken_meter import TiktokenMeter
from domain.model import ModelRef, ModelSpec
meter = TiktokenMeter(Path({str(tmp_path)!r}))
assert "tiktoken" not in sys.modules
for name in ("o200k_base", "cl100k_base"):
    assert 2 == meter.count_text("hello world", ModelSpec(ref=ModelRef("a", "b"), encoding=name)).tokens
assert not [m for m in sys.modules if m.startswith("bpe_openai")]
assert "requests" not in sys.modules
import os
assert "TIKTOKEN_CACHE_DIR" not in os.environ
"""
    environment = {key: value for key, value in os.environ.items() if key != "TIKTOKEN_CACHE_DIR"}

    done = subprocess.run([sys.executable, "-c", code], check=False, env=environment, capture_output=True)

    assert done.returncode == 0, done.stderr.decode()
    assert {RANK_FILES[name].cached_name for name in RANK_FILES} == {file.name for file in tmp_path.iterdir()}


def test_a_damaged_file_is_replaced(tmp_path: Path) -> None:
    """tiktoken would download it anew."""
    path = tmp_path / RANK_FILES["cl100k_base"].cached_name
    path.write_bytes(b"garbage")

    provide("cl100k_base", tmp_path)

    assert path.stat().st_size > 1_000_000


def test_an_unwritable_directory_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a container with a read-only root."""
    blocked = tmp_path / "file"
    blocked.write_text("not a directory")
    monkeypatch.setenv("XDG_CACHE_HOME", str(blocked))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))

    directory = provide("cl100k_base", blocked / "below")

    assert tmp_path / f"lor3-tiktoken-{os.getuid()}" == directory


def test_nothing_writable_is_an_error_that_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rather than a download."""
    blocked = tmp_path / "file"
    blocked.write_text("not a directory")
    monkeypatch.setenv("XDG_CACHE_HOME", str(blocked))
    monkeypatch.setattr("tempfile.tempdir", str(blocked))

    with pytest.raises(RanksUnavailable, match="XDG_CACHE_HOME"):
        provide("cl100k_base")


def test_several_processes_may_unpack_at_once(tmp_path: Path) -> None:
    """A file appears whole or not at all."""
    code = f"from adapters.tokens.rank_files import provide; from pathlib import Path; provide('cl100k_base', Path({str(tmp_path)!r}))"
    processes = [subprocess.Popen([sys.executable, "-c", code]) for _ in range(4)]

    assert [process.wait(60) for process in processes] == [0, 0, 0, 0]
    assert [RANK_FILES["cl100k_base"].cached_name] == [file.name for file in tmp_path.iterdir()]
    assert rank_files._holds(tmp_path, RANK_FILES["cl100k_base"])


@pytest.mark.parametrize("text", ["a", "é", " ", "\n", "!", "aé!", "1", "🙂", "\ud800"])
def test_long_runs_are_counted_in_time(text: str) -> None:
    """A million times the same."""
    with cpu_below(20):
        count = TiktokenMeter().count_text(text * 1_000_000, O200K)

        assert 0 < count.tokens <= 8_000_000


def test_chunks_change_no_count_of_prose() -> None:
    """Cuts are made in front of a space."""
    sentence = "The quick brown fox jumps over the lazy dog. "
    meter = TiktokenMeter()

    assert meter.count_text(sentence * 10_000, O200K).tokens == 10_000 * 10 + 1


def test_threads_may_count_together() -> None:
    """Also the first time."""
    meter = TiktokenMeter()
    counts: list[int] = []
    threads = [
        threading.Thread(target=lambda: counts.append(meter.count_text("hello world", O200K).tokens))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert counts == [2] * 8
