"""When an unstreamed answer is fetched as a stream."""

from domain.routing.pacing import Pacing


def test_quick_answers_stay_unstreamed() -> None:
    """A model that answers within half of the limit needs no stream."""
    pacing = Pacing(limit_s=10.0)
    pacing.answered(4.9, now=100.0)

    assert not pacing.wants_stream(100.0)


def test_slow_answer_asks_for_streams_for_a_while() -> None:
    """Half of the limit used up switches over; the hold runs out without slow answers."""
    pacing = Pacing(limit_s=10.0, hold_s=600.0)
    pacing.answered(5.0, now=100.0)

    assert pacing.wants_stream(699.0)
    assert not pacing.wants_stream(700.0)
