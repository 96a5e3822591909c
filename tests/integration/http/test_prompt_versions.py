"""Making, listing, showing and deleting versions."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from tests.support.http import serving
from tests.support.prompt_api import PromptAPI


async def test_a_version_is_made(tmp_path: Path) -> None:
    """201 with its place and the prompt's ETag; numbers go up."""
    async with serving(tmp_path) as server:
        api = PromptAPI(server)
        first = await api.version("tone", "Be kind.")
        second = await api.version("tone", "Be brief.")
        shown = await api.get(second.headers["Location"])

    body = first.body
    assert (first.status, first.headers["Location"]) == (201, "/prompts/tone/versions/v1")
    assert (body["name"], body["version"], body["prompt_version"]) == ("tone", "v1", "tone:v1")
    assert (body["created"], body["kept_by"], body["etag"]) == (True, [], first.etag)
    assert (second.body["version"], second.body["hash"]) == ("v2", shown.body["hash"])
    assert first.etag != second.etag
    assert shown.body["template"] == "Be brief."


async def test_the_same_content_makes_no_version(tmp_path: Path) -> None:
    """200, the one there is, and the same ETag."""
    async with serving(tmp_path) as server:
        api = PromptAPI(server)
        first = await api.version("tone", {"template": "Be kind.", "message": "why"})
        again = await api.version("tone", {"template": "Be kind.", "message": "why not"})

    assert (again.status, again.etag) == (200, first.etag)
    assert again.body == {**first.body, "created": False}


async def test_lines_that_run_into_one_another_are_warned_of(tmp_path: Path) -> None:
    """With 201 and with 200."""
    async with serving(tmp_path) as server:
        api = PromptAPI(server)
        tone = await api.version("tone", "Be kind.")
        made = await api.version("support", "{{> tone}}\nNever lie.")
        again = await api.version("support", "{{> tone}}\nNever lie.")

    assert tone.body["warnings"] == []
    assert (made.status, again.status) == (201, 200)
    assert made.body["warnings"] == again.body["warnings"]
    assert made.body["warnings"][0].startswith(
        "template: line 1, column 1: `{{> tone}}` takes its line's newline"
    )


async def test_a_changed_fragment_says_who_keeps_the_old_one(tmp_path: Path) -> None:
    """A snapshot does not change with its fragments."""
    async with serving(tmp_path) as server:
        api = PromptAPI(server)
        await api.version("tone", "Be kind.")
        await api.version("greeting", "{{> tone}} Hello.")
        changed = await api.version("tone", "Be brief.")
        rendered = await api.render("greeting")

    assert changed.body["kept_by"] == ["greeting:v1"]
    assert rendered.body["text"] == "Be kind. Hello."


async def test_a_shown_version_can_be_posted_again(tmp_path: Path) -> None:
    """Its source reads as it was written, null fields included, and makes the same hash."""
    source = {
        "messages": [{"role": "system", "content": "{{a}}{{b}}{{c}}"}, {"role": "user", "content": "{{#d}}x{{/d}}"}],
        "variables": {
            "a": {"type": "string", "description": "An a."},
            "b": {"type": "integer", "default": 3},
            "c": {"type": "enum", "values": ["x", "y"], "default": "y"},
            "d": {"type": "list", "default": None},
        },
    }  # fmt: skip
    async with serving(tmp_path) as server:
        api = PromptAPI(server)
        made = await api.version("p", source)
        shown = (await api.get("/prompts/p")).body
        fields = ("messages", "variables", "description", "message", "author")
        again = await api.version("q", {field: shown[field] for field in fields})

    assert shown["variables"] == source["variables"]
    assert again.status == 201
    assert again.body["hash"] == made.body["hash"]


@pytest.mark.parametrize(
    ("body", "paths"),
    [
        ({"tempalte": "x"}, {"tempalte"}),
        ({"template": "x", "message": 5, "author": ""}, {"message", "author"}),
        ({"template": "x", "variables": {"a": {"type": "strng"}}}, {"variables.a.type"}),
        ({"template": "x", "variables": {"a": {"tpye": "string"}}}, {"variables.a.tpye"}),
        ({"template": "x", "id": "1", "tenant": "other", "made_by": "file", "created_at": "now"},
         {"id", "tenant", "made_by", "created_at"}),
        ({"messages": [{"role": "tool", "content": "x"}, {"role": "user"}], "author": 5},
         {"messages[0].role", "messages[1].content", "author"}),
        ({"template": "{{a}}", "mesage": "x"}, {"template", "mesage"}),
        ({"template": "{{a", "variables": {"b": {"type": "strng"}}, "nope": 1}, {"template", "variables.b.type", "nope"}),
        ({"template": "{{> nowhere}}", "message": 5}, {"template", "message"}),
        ({"template": 5, "message": 5}, {"template", "message"}),
        ({"template": "{{#a}}", "variables": {"a": "boolean"}}, {"template"}),
        ({"template": "{{> nowhere}}"}, {"template"}),
    ],
)  # fmt: skip
async def test_what_is_wrong_with_a_version_is_named_once_and_all_at_once(
    body: dict[str, Any], paths: set[str], tmp_path: Path
) -> None:
    """Shape and meaning alike; nothing is stored."""
    async with serving(tmp_path) as server:
        api = PromptAPI(server)
        refused = await api.version("p", body)
        absent = await api.get("/prompts/p")

    assert (refused.status, refused.code, absent.status) == (400, "invalid_request", 404)
    assert paths <= set(refused.paths)
    assert len(refused.paths) == len(set(refused.paths))


@pytest.mark.parametrize("body", [{}, {"template": "x", "messages": [{"role": "user", "content": "y"}]}])
async def test_exactly_one_of_text_and_turns_is_needed(body: dict[str, Any], tmp_path: Path) -> None:
    """Said once."""
    async with serving(tmp_path) as server:
        refused = await PromptAPI(server).version("p", body)

    assert (refused.status, len(refused.body["errors"])) == (400, 1)
    assert "messages" in refused.body["detail"]


async def test_a_fault_of_a_template_shows_the_line(tmp_path: Path) -> None:
    """Line and column, the line itself and a caret."""
    async with serving(tmp_path) as server:
        refused = await PromptAPI(server).version("p", "Be kind.\nHello {{name!")

    message = refused.body["errors"][0]["message"]
    assert message.startswith("line 2, column ")
    assert "\nHello {{name!\n" in message
    assert "^" in message


@pytest.mark.parametrize(
    "name", ["-x", "a%20b", "a%2Fb", "caf%C3%A9", "a:v1", "a@b", "x" * 129, "%2e%2e", ".x"]
)
async def test_a_name_that_none_can_have_is_refused_with_the_rule(name: str, tmp_path: Path) -> None:
    """Together with the body's faults."""
    async with serving(tmp_path) as server:
        refused = await PromptAPI(server).version(name, {"template": "x", "mesage": "y"})

    assert refused.status in (400, 404)  # `..` is another path by the time it arrives
    if refused.status == 400:
        assert {"name", "mesage"} == set(refused.paths)
        assert "letters, digits" in refused.body["detail"]


async def test_an_editor_can_not_overwrite_what_it_has_not_seen(tmp_path: Path) -> None:
    """If-Match by strong comparison, in a list, with `*`."""
    async with serving(tmp_path) as server:
        api = PromptAPI(server)
        etag = (await api.version("p", "1")).etag
        stale = await api.version("p", "2", headers={"If-Match": '"999"'})
        weak = await api.version("p", "2", headers={"If-Match": f"W/{etag}"})
        listed = await api.version("p", "2", headers={"If-Match": f'"999", {etag}'})
        old = await api.version("p", "3", headers={"If-Match": etag})
        any_version = await api.version("p", "3", headers={"If-Match": "*"})
        absent = await api.version("q", "1", headers={"If-Match": "*"})

    refused = (stale, weak, old, absent)
    assert [412] * 4 == [each.status for each in refused]
    assert {"precondition_failed"} == {each.code for each in refused}
    assert [201, 201] == [listed.status, any_version.status]
    assert listed.etag in old.body["detail"]


async def test_a_new_prompt_can_be_asked_for(tmp_path: Path) -> None:
    """`If-None-Match: *` refuses a name that is taken."""
    async with serving(tmp_path) as server:
        api = PromptAPI(server)
        first = await api.version("p", "1", headers={"If-None-Match": "*"})
        second = await api.version("p", "2", headers={"If-None-Match": "*"})

    assert (first.status, second.status, second.code) == (201, 412, "precondition_failed")


@pytest.mark.parametrize(
    ("header", "value"),
    [("If-Match", "3"), ("If-Match", '"3'), ("If-Match", ""), ("If-Match", '*, "3"'), ("If-Match", "'3'"),
     ("If-None-Match", '"3"'), ("If-None-Match", "x")],
)  # fmt: skip
async def test_a_precondition_that_is_none_is_refused(header: str, value: str, tmp_path: Path) -> None:
    """Rather than ignored, which would overwrite."""
    async with serving(tmp_path) as server:
        api = PromptAPI(server)
        refused = await api.version("p", {"template": "x", "nope": 1}, headers={header: value})

    assert (refused.status, set(refused.paths)) == (400, {header, "nope"})


async def test_of_two_editors_with_the_same_etag_one_is_told(tmp_path: Path) -> None:
    """However close they are: a version each, a label each, and one of each against the other."""
    async with serving(tmp_path) as server:
        api = PromptAPI(server)
        for round_number in range(8):
            etag = (await api.version("p", f"start {round_number}")).etag
            header = {"If-Match": etag}
            answers = await asyncio.gather(
                *(api.version("p", f"{round_number} {editor}", headers=header) for editor in range(3)),
                api.label("p", "staging", {"version": f"v{1 + round_number}"}, headers=header),
            )

            assert [1, 3] == [
                len([each for each in answers if each.status in (200, 201)]),
                len([each for each in answers if each.status == 412]),
            ]


async def test_versions_are_listed_newest_first(tmp_path: Path) -> None:
    """Whole snapshots, in pages."""
    async with serving(tmp_path) as server:
        api = PromptAPI(server)
        for number in range(1, 6):
            await api.version("p", {"template": f"{number}", "message": f"the {number}."})
        first = await api.get("/prompts/p/versions?limit=3")
        second = await api.get(f"/prompts/p/versions?limit=3&cursor={first.body['next_cursor']}")
        foreign = await api.get(f"/prompts?cursor={first.body['next_cursor']}")
        absent = await api.get("/prompts/q/versions")

    versions = [*first.body["items"], *second.body["items"]]
    assert ["v5", "v4", "v3", "v2", "v1"] == [each["version"] for each in versions]
    assert ["5", "4", "3", "2", "1"] == [each["template"] for each in versions]
    assert second.body["next_cursor"] is None
    assert first.etag == second.etag
    assert (foreign.status, absent.status, absent.code) == (400, 404, "not_found")


async def test_a_version_that_nothing_needs_is_deleted(tmp_path: Path) -> None:
    """204, once; the prompt goes with its last one; a number is not given twice, not even then."""
    async with serving(tmp_path) as server:
        api = PromptAPI(server)
        await api.version("p", "1")
        etag = (await api.version("p", "2")).etag
        stale = await api.call("DELETE", "/prompts/p/versions/v2", headers={"If-Match": '"0"'})
        deleted = await api.call("DELETE", "/prompts/p/versions/v2", headers={"If-Match": etag})
        again = await api.call("DELETE", "/prompts/p/versions/v2")
        third = await api.version("p", "3")
        for number in (1, 3):
            await api.call("DELETE", f"/prompts/p/versions/v{number}")
        gone = await api.get("/prompts/p")
        listed = await api.get("/prompts")
        anew = await api.version("p", "1", headers={"If-None-Match": "*"})
        pinned = await api.render("p:v1")

    assert (stale.status, deleted.status, deleted.raw, again.status) == (412, 204, b"", 404)
    assert third.body["version"] == "v3"
    assert (gone.status, listed.body["items"]) == (404, [])
    assert (anew.status, anew.body["version"]) == (201, "v4")
    assert anew.etag not in (etag, third.etag)
    assert pinned.status == 404


async def test_a_version_in_use_is_kept(tmp_path: Path) -> None:
    """By a label, by another prompt, by a chat; the answer says by what."""
    async with serving(tmp_path) as server:
        api = PromptAPI(server)
        for name in ("labelled", "included", "used"):
            await api.version(name, "x")
        await api.version("including", "{{> included}}")
        await api.label("labelled", "staging", {"version": "v1"})
        chat = await api.call("POST", "/chat", {"prompt": "Hi", "system_prompt": "used"})
        refused = [
            await api.call("DELETE", f"/prompts/{name}/versions/v1")
            for name in ("labelled", "included", "used")
        ]

    assert (chat.status, chat.body["prompt_version"]) == (200, "used:v1")
    assert [(409, "version_in_use")] * 3 == [(each.status, each.code) for each in refused]
    for each, culprit in zip(refused, ("staging", "including:v1", "chat"), strict=True):
        assert culprit in each.body["detail"]
