"""Errors that are kept to be raised again."""

import pytest

from domain.errors import ChatFailed, Fault, InvalidRequest, KeyInFlight, LorError, afresh


@pytest.mark.parametrize(
    "error",
    [
        LorError("plain"),
        ChatFailed("upstream_error", "cut", retryable=True, retry_after_s=2.0),
        InvalidRequest.of(Fault(path="model", message="is unknown")),
        KeyInFlight("wait", retry_after_s=1.5),
    ],
)
def test_an_error_is_made_afresh_with_all_it_says(error: LorError) -> None:
    """And with nothing of where it was raised, which would grow and hold on to requests."""
    with pytest.raises(type(error)) as caught:
        raise error

    again = afresh(caught.value)

    assert again is not error
    assert vars(error) == vars(again)
    assert str(error) == str(again)
    assert again.__traceback__ is None
