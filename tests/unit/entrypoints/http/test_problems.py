"""The table from codes to statuses."""

import pytest

from domain import errors
from domain.errors import Fault, InvalidRequest, LorError
from entrypoints.http.problems import PROBLEMS, problem_json, problem_type, retry_after


def subclasses(root: type[LorError]) -> list[type[LorError]]:
    return [root, *(each for child in root.__subclasses__() for each in subclasses(child))]


def test_every_code_of_the_domain_has_a_row() -> None:
    """A new error without a status fails here."""
    codes = {each.code for each in subclasses(LorError) if each.__module__ == errors.__name__}

    assert codes <= set(PROBLEMS)


def test_an_upstreams_refusal_is_never_the_callers_401() -> None:
    """No code of a provider has a 4xx, those about the prompt aside; 401 and 403 speak of lor3's own keys."""
    own = {code for code, each in PROBLEMS.items() if each.status in (401, 403)}
    assert {"unauthenticated", "forbidden"} == own
    assert all(each.status >= 500 for code, each in PROBLEMS.items() if code.startswith("upstream"))


def test_an_unknown_code_is_an_internal_error() -> None:
    """Rather than a guess."""
    assert problem_type("brand_new").status == 500


@pytest.mark.parametrize(
    ("seconds", "header"), [(None, None), (0.0, "1"), (0.2, "1"), (1.0, "1"), (1.01, "2")]
)
def test_retry_after_is_a_whole_number_of_at_least_one(seconds: float | None, header: str | None) -> None:
    """Rounded up."""
    error = LorError("x")
    error.retry_after_s = seconds

    assert retry_after(error) == header


def test_a_problem_names_all_faults() -> None:
    """RFC 9457 with lor3's members."""
    error = InvalidRequest.of(Fault(path="a", message="is bad"), Fault(path="b", message="too"))

    assert problem_json(error, request_id="r") == {
        "type": "urn:lor3:problem:invalid_request",
        "title": "The request is invalid",
        "status": 400,
        "detail": "a: is bad; b: too",
        "code": "invalid_request",
        "request_id": "r",
        "retryable": False,
        "errors": [{"path": "a", "message": "is bad"}, {"path": "b", "message": "too"}],
    }
