"""In which order files are imported, and which can't be."""

from application.ports.prompt_files import PromptFile
from application.services.prompt_folder import FolderPlan, plan_folder
from domain.prompt.reference import PromptName
from tests.support.prompt_bench import path_of, system
from tests.support.spent import cpu_below


def _plan(**texts: str) -> FolderPlan:
    return plan_folder(
        PromptFile(name=PromptName(name), path=path_of(name), source=system(text))
        for name, text in texts.items()
    )


def _order(plan: FolderPlan) -> list[str]:
    return [planned.file.name for planned in plan.files]


def test_included_files_come_first() -> None:
    """Also those that are named with a version or a label, which this very run may make."""
    plan = _plan(a="{{> b:v1}}", b="{{> c@staging}}", c="{{> d}}", d="Bottom.")

    assert ["d", "c", "b", "a"] == _order(plan)


def test_order_is_the_same_each_time() -> None:
    """Whatever order the folder lists them in."""
    texts = dict.fromkeys("dbca", "Text.") | {"z": "{{> a}}", "y": "{{> z}}"}

    assert _order(_plan(**texts)) == _order(_plan(**dict(reversed(texts.items()))))


def test_circles_are_found_one_by_one() -> None:
    """Each is named from its first name on; what is left is in order."""
    plan = _plan(
        a="{{> b}}", b="{{> a}}", c="{{> e}}", d="{{> c}}", e="{{> d}}", f="{{> a}}", g="Fine.", h="{{> h}}"
    )

    words = {str(each.name): each.faults[0].message for each in plan.broken}
    assert ["f", "g"] == sorted(_order(plan))
    assert ["a", "b", "c", "d", "e", "h"] == sorted(words)
    assert "a → b → a" in words["b"]
    assert "c → e → d → c" in words["e"]
    assert "h → h" in words["h"]


def test_syntax_is_checked_first() -> None:
    """A file with faults takes no part in a circle."""
    plan = _plan(a="{{> b}}", b="{{> a}} {{#open}}")

    assert ["a"] == _order(plan)
    assert ["b"] == [each.name for each in plan.broken]


def test_bare_includes_mean_the_folder() -> None:
    """All others mean the database."""
    (planned,) = _plan(a="{{> b}} {{> c}} {{> b:v1}} {{> b@staging}}").files

    assert {"b": PromptName("b")} == planned.beside({PromptName("a"), PromptName("b")})
    outside = planned.outside({PromptName("a"), PromptName("b")})
    assert ["c", "b:v1", "b@staging"] == [str(reference) for reference in outside]


def test_hundreds_of_files_in_circles_take_little_time() -> None:
    """Nobody can stop the server with a folder."""
    texts = {f"p{index}": f"{{{{> p{index ^ 1}}}}}" for index in range(400)}

    with cpu_below(20):
        plan = _plan(**texts)

        assert 400 == len(plan.broken)


def test_a_long_chain_is_no_depth_problem() -> None:
    """The order is found without recursion; that it is too deep is for the compiler to say."""
    texts = {f"p{index}": f"{{{{> p{index + 1}}}}}" for index in range(2000)}

    assert "p1999" == _order(_plan(**texts))[0]
