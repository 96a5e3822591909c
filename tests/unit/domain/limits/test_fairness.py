"""Room for others on a busy server."""

from hypothesis import given
from hypothesis import strategies as st

from domain.limits.fairness import Shares, may_enter


def _fill(shares: Shares, holder: str, capacity: int, in_flight: int) -> int:
    """How many more the holder gets."""
    count = 0
    while shares.enter(holder, in_flight=in_flight + count, capacity=capacity):
        count += 1
    return count


def test_nobody_is_refused_on_a_server_that_is_half_empty() -> None:
    """However much of that is one's."""
    shares = Shares()

    assert _fill(shares, "flood", 100, 0) >= 50


def test_who_is_alone_may_have_nearly_all() -> None:
    """The last eighth is for whoever comes."""
    shares = Shares()
    assert _fill(shares, "flood", 80, 0) == 70
    assert _fill(shares, "other", 80, 70) == 10


def test_who_floods_gets_no_more_while_others_are_there() -> None:
    """Until it holds less than its part."""
    shares = Shares()
    assert _fill(shares, "flood", 80, 0) == 70
    assert shares.enter("other", in_flight=70, capacity=80)
    assert not shares.enter("flood", in_flight=71, capacity=80)
    for _ in range(31):
        shares.leave("flood")
    assert (shares.held("flood"), shares.held("other")) == (39, 1)
    assert shares.enter("flood", in_flight=40, capacity=80)
    assert not shares.enter("flood", in_flight=41, capacity=80)


def test_nobody_who_has_left_is_kept() -> None:
    """Nor counted."""
    shares = Shares()
    for number in range(100):
        shares.enter(f"{number}", in_flight=0, capacity=10)
        shares.leave(f"{number}")

    assert shares.holders == 0


@given(capacity=st.integers(1, 12))
def test_a_small_server_serves_one_caller(capacity: int) -> None:
    """All that it takes, or all but one."""
    got = _fill(Shares(), "only", capacity, 0)

    assert max(1, capacity - capacity // 8) <= got <= capacity


@given(
    capacity=st.integers(2, 64),
    wishes=st.lists(st.tuples(st.integers(0, 4), st.booleans()), max_size=400),
)
def test_who_holds_little_finds_room(capacity: int, wishes: list[tuple[int, bool]]) -> None:
    """Whatever others do; and no more are let in than there is room for."""
    shares, held = Shares(), [0] * 5
    for who, leaves in wishes:
        if leaves and held[who]:
            shares.leave(str(who))
            held[who] -= 1
        elif not leaves:
            total = sum(held)
            expected = may_enter(
                held=held[who],
                in_flight=total,
                holders=sum(1 for each in held if each) + (held[who] == 0),
                capacity=capacity,
            )
            assert shares.enter(str(who), in_flight=total, capacity=capacity) == expected
            if total < capacity and held[who] < capacity // 5:
                assert expected
            held[who] += expected
        assert sum(held) <= capacity
        assert shares.holders == sum(1 for each in held if each)
