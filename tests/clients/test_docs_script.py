"""The script of `/docs`, run on what `/openapi.json` says: a browser's view of every route."""

from typing import Any

import pytest
import pytest_asyncio

from entrypoints.http.openapi import document
from tests.support.http import serving
from tests.support.node import run_script


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def drawn(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """What stands on the page of a lor3 with no configuration, and what came of sending each example from it."""
    async with serving(tmp_path_factory.mktemp("docs")) as server:
        return await run_script("docs", f"http://127.0.0.1:{server.port}")


@pytest.fixture(scope="module")
def described() -> dict[str, Any]:
    """The operations of `/openapi.json` by their ids."""
    api: Any = document()
    return {one["operationId"]: one for methods in api["paths"].values() for one in methods.values()}


def test_page_draws_every_operation(drawn: Any, described: dict[str, Any]) -> None:
    """Each with its text and the type of its errors, and no word that JavaScript says of what is missing."""
    sections = {each["id"]: each["text"] for each in drawn["sections"]}

    assert drawn["text"].startswith("lor3 API")
    assert list(sections) == [*described, "errors", "schemas"]
    for name, one in described.items():
        assert one["summary"] in sections[name]
        failure = one["responses"]["default"]["$ref"].split("/")[-1]
        assert f"Errors are {failure}: all codes." in sections[name]
        for word in ("undefined", "[object", "NaN"):
            assert word not in sections[name], name


def test_every_link_of_the_page_leads_somewhere(drawn: Any, described: dict[str, Any]) -> None:
    """Those of the menu to every operation, those of the tables to every type."""
    assert drawn["loose"] == []
    assert {f"#{name}" for name in described} < set(drawn["menu"])


def test_every_operation_with_a_body_can_be_tried(drawn: Any, described: dict[str, Any]) -> None:
    """A body stands in the form, one that may be left out as well, and its path has no hole."""
    tried = {each["id"]: each for each in drawn["sections"] if each["request"] is not None}

    assert set(tried) == {name for name, one in described.items() if "requestBody" in one}
    assert tried["stopAnswer"]["request"] == "{}"
    assert "Nothing: what is to be stopped stands in the path." in tried["stopAnswer"]["text"]
    assert [each["path"] for each in tried.values() if "{" in (each["path"] or "")] == []


def test_every_example_that_names_nothing_stored_is_answered(drawn: Any) -> None:
    """Sent from the page's own form, streams among them."""
    sent = {each["id"]: each["sent"] for each in drawn["sections"] if each["sent"]}

    assert {"sendChat", "explainChat", "createSession", "createChatCompletion"} <= set(sent)
    # The page's server has no key to sign a token with.
    assert {"401"} == {status for status, _ in sent.pop("createToken").values()}
    for name, examples in sent.items():
        for summary, (status, answered) in examples.items():
            assert status in ("200", "201"), (name, summary, answered)
    assert any("event: done" in answered for _, answered in sent["sendChat"].values())
