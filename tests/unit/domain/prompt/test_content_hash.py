"""What makes two versions the same."""

from typing import Any

import attrs
import pytest

from domain.prompt.content_hash import content_hash
from domain.prompt.document import read_source
from domain.prompt.reference import PromptName, VersionRef
from domain.prompt.source import Origin, PromptSource, Turn, Variable
from domain.prompt.version import Pin

DOCUMENT: dict[str, Any] = {
    "template": "Hi {{name}}",
    "variables": {"name": "string", "lang": {"enum": ["de", "en"]}},
    "description": "Greets.",
}
PIN = Pin(written="tone", ref=VersionRef(PromptName("tone"), 1), hash="a" * 64)


def test_hash_is_stable() -> None:
    """It is kept in databases and caches: a change of it makes every prompt a new one."""
    assert "dde9cfa4a4f34df934a979f53481c3c495874e56a735e8190fd0bad5c6c5fa8f" == content_hash(
        read_source(DOCUMENT), (PIN,)
    )


def test_place_and_number_do_not_count() -> None:
    """Moving a text in its file, or the same fragment under another number, changes nothing."""
    source = read_source(DOCUMENT)
    moved = attrs.evolve(source, turns=(attrs.evolve(source.turns[0], origin=Origin(file="a.yaml", line=9)),))
    renumbered = attrs.evolve(PIN, ref=VersionRef(PromptName("tone"), 7))

    assert content_hash(source, (PIN,)) == content_hash(moved, (renumbered,))


@pytest.mark.parametrize(
    "change",
    [
        {"template": "Hi  {{name}}"},
        {"template": None, "messages": [{"role": "system", "content": "Hi {{name}}"}]},
        {"variables": {"lang": {"enum": ["de", "en"]}, "name": "string"}},
        {"variables": {"name": "string", "lang": {"enum": ["en", "de"]}}},
        {"variables": {"name": {"default": None}, "lang": {"enum": ["de", "en"]}}},
        {"description": None},
    ],
)
def test_everything_in_the_source_counts(change: dict[str, Any]) -> None:
    """Down to the order of the variables, which people see."""
    assert content_hash(read_source(DOCUMENT), ()) != content_hash(read_source(DOCUMENT | change), ())


def test_fragments_count() -> None:
    """By how they are written and what is in them."""
    source = read_source(DOCUMENT)
    hashes = {
        content_hash(source, pins)
        for pins in (
            (),
            (PIN,),
            (attrs.evolve(PIN, written="tone@staging"),),
            (attrs.evolve(PIN, hash="b" * 64),),
            (PIN, attrs.evolve(PIN, written="other")),
        )
    }

    assert 5 == len(hashes)


def test_plain_text_is_the_same_as_a_document_without_variables() -> None:
    """They mean the same: in files the one is written as `.md`, and the other can't be."""
    turns = (Turn(role="system", template="x"),)

    assert content_hash(PromptSource(turns=turns), ()) == content_hash(
        PromptSource(turns=turns, declares=False), ()
    )
    assert content_hash(PromptSource(turns=turns, variables=(Variable(name="x"),)), ()) != content_hash(
        PromptSource(turns=turns), ()
    )


def test_lone_surrogate_has_a_hash() -> None:
    """JSON can say one, so it must not break."""
    assert 64 == len(content_hash(read_source({"template": "\ud800\0"}), ()))
