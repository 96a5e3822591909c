"""Two servers on one PostgreSQL: what one answers, the other keeps to."""

import asyncio
from pathlib import Path

from tests.support.http import serving
from tests.support.prompt_api import PromptAPI


async def test_of_editors_on_two_replicas_one_is_told(postgres_url: str, tmp_path: Path) -> None:
    """With the same ETag, whether they make a version, move a label or delete."""
    async with (
        serving(tmp_path, database_url=postgres_url) as first,
        serving(tmp_path, database_url=postgres_url) as second,
    ):
        here, there = PromptAPI(first), PromptAPI(second)
        await here.version("p", "first")
        for round_number in range(6):
            etag = (await there.version("p", f"start {round_number}")).etag
            held = {"If-Match": etag}
            answers = await asyncio.gather(
                here.version("p", f"here {round_number}", headers=held),
                there.version("p", f"there {round_number}", headers=held),
                here.label("p", f"l{round_number}", {"version": "v1"}, headers=held),
                there.label("p", f"l{round_number}", {"version": "v2"}, headers=held),
            )

            assert [1, 3] == [
                len([each for each in answers if each.status in (200, 201)]),
                len([each for each in answers if each.status == 412]),
            ]


async def test_new_prompts_are_made_once(postgres_url: str, tmp_path: Path) -> None:
    """With `If-None-Match: *` one of many makes it; without, each adds a version, and no number is given twice."""
    async with (
        serving(tmp_path, database_url=postgres_url) as first,
        serving(tmp_path, database_url=postgres_url) as second,
    ):
        apis = (PromptAPI(first), PromptAPI(second))
        made = await asyncio.gather(
            *(
                apis[number % 2].version("new", f"text {number}", headers={"If-None-Match": "*"})
                for number in range(6)
            )
        )
        added = await asyncio.gather(
            *(apis[number % 2].version("many", f"text {number}") for number in range(6))
        )

    assert [201, 412, 412, 412, 412, 412] == sorted(each.status for each in made)
    assert {f"v{number}" for number in range(1, 7)} == {each.body["version"] for each in added}


async def test_a_label_moved_on_one_replica_counts_on_the_other_within_a_second(
    postgres_url: str, tmp_path: Path
) -> None:
    """Without Redis too, where no word of it arrives; whoever reads the prompt sees it at once."""
    async with (
        serving(tmp_path, database_url=postgres_url) as first,
        serving(tmp_path, database_url=postgres_url) as second,
    ):
        here, there = PromptAPI(first), PromptAPI(second)
        await here.version("p", "one")
        await here.version("p", "two")
        await here.label("p", "production", {"version": "v1"})
        before = (await there.render("p")).body["text"]
        await here.label("p", "production", {"version": "v2"})
        shown = (await there.get("/prompts/p")).body["prompt_version"]
        await asyncio.sleep(1.1)
        after = (await there.render("p")).body["text"]

    assert (before, shown, after) == ("one", "p:v2", "two")
