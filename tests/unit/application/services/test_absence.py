"""What is told of things that are not there."""

from application.services.absence import no_message, no_session, no_thread

_ID = "01890a5d-ac96-774b-bcce-b302099a8057"


def test_each_says_what_is_absent_and_where_to_look() -> None:
    """In one wording; a chat can do without a session or a thread."""
    assert [error.detail for error in (no_session(_ID), no_thread(_ID), no_message(_ID))] == [
        f"there is no session {_ID}; GET /sessions lists those there are",
        f"there is no thread {_ID}; GET /threads lists those there are",
        f"there is no message {_ID}; GET /threads/{{id}}/messages lists those of a thread",
    ]
    assert no_session(_ID, for_chat=True).detail.endswith("; leave `session_id` out to start one")
    assert no_thread(_ID, for_chat=True).detail.endswith("; leave `thread_id` out to start one")


def test_others_can_tell_it_in_their_own_words() -> None:
    """Which kind of thing, and its name without what a terminal would obey."""
    error = no_message("\x1b[2J" + "x" * 1000)

    assert (error.kind, error.code) == ("message", "not_found")
    assert "\x1b" not in error.name
    assert len(error.name) < 200
