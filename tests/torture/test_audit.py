"""The audit finds each kind of loss, and nothing in sound books."""

import copy
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import attrs
import pytest

from tests.torture.audit import Audit
from tests.torture.books import Stored
from tests.torture.ledger import Acknowledged, GivenUp, Ledger
from tests.torture.upstream import Call

_CALLS = tuple(
    Call(
        number=number,
        nonce=f"n{number}",
        text=f"n{number} call {number} end",
        input_tokens=7,
        output_tokens=3,
    )
    for number in range(3)
)


def _turns(number: int) -> list[dict[str, Any]]:
    call = _CALLS[number]
    common = {
        "thread_id": "thread",
        "status": "complete",
        "copied_from": None,
        "error_code": None,
        "provider": None,
        "model": None,
        "usage_estimated": None,
        "created_at": number,
    }
    question: dict[str, Any] = {
        "id": f"question {number}",
        "role": "user",
        "position": 2 * number,
        "parent": None,
        "content": {"parts": [{"type": "text", "text": f"{call.nonce} why?"}]},
        "cost_usd": None,
        "input_tokens": None,
        "output_tokens": None,
    }
    answer: dict[str, Any] = {
        "id": f"answer {number}",
        "role": "assistant",
        "position": 2 * number + 1,
        "parent": question["id"],
        "content": {"parts": [{"type": "text", "text": call.text}]},
        "cost_usd": call.cost_usd,
        "input_tokens": 7,
        "output_tokens": 3,
    }
    return [common | question, common | answer]


def _told(number: int) -> Acknowledged:
    call = _CALLS[number]
    answer = {
        "message_id": f"answer {number}",
        "thread_id": "thread",
        "output": call.text,
        "usage": {"input_tokens": 7, "output_tokens": 3},
        "cost_usd": str(call.cost_usd),
    }
    return Acknowledged(
        nonce=call.nonce,
        key=f"key-of-n{number}",
        body={},
        answer=answer,
        first_sent_at=2.0 * number,
        acknowledged_at=2.0 * number + 1,
    )


def _sound() -> Stored:
    return Stored(
        messages=[row for number in range(3) for row in _turns(number)],
        threads=[{"id": "thread", "next_position": 6, "forked_from": None}],
        attempts=[
            {
                "message_id": f"answer {number}",
                "cost_usd": call.cost_usd,
                "outcome": "ok",
                "response_id": call.response_id,
            }
            for number, call in enumerate(_CALLS)
        ],
        keys=[
            {"key": f"key-of-n{number}", "state": "done", "message_id": f"answer {number}"}
            for number in range(3)
        ],
    )


def _broken(stored: Stored) -> list[str]:
    findings = Audit(stored=stored, ledger=_ledger(), calls=_CALLS).findings()
    return [finding.promise for finding in findings if not finding.holds]


def _ledger() -> Ledger:
    return Ledger(
        sent={call.nonce: f"{call.nonce} why?" for call in _CALLS},
        acknowledged=[_told(number) for number in range(3)],
        sends=3,
    )


def test_sound_books_are_found_sound() -> None:
    """All three answers, each with its key."""
    assert _broken(_sound()) == []


def test_a_sound_fork_is_found_sound() -> None:
    """Its copies cost nothing and have no attempts; they are no second answer."""
    assert _broken(_forked(_sound())) == []


def test_an_answer_made_again_is_found_sound() -> None:
    """It follows the same turn, behind the answer in place of which it was made, and is charged beside it."""
    stored, ledger, call = _sound(), _ledger(), attrs.evolve(_CALLS[2], number=3, text="n2 call 3 end")
    again = {
        **stored.messages[5],
        "id": "answer 3",
        "position": 6,
        "content": {"parts": [{"type": "text", "text": call.text}]},
    }
    told = _told(2)
    answer = {**told.answer, "message_id": "answer 3", "output": call.text}
    ledger.remade.append(
        attrs.evolve(told, key="n2-remade", answer=answer, first_sent_at=6.0, acknowledged_at=7.0)
    )
    stored = attrs.evolve(
        stored,
        messages=[*stored.messages, again],
        threads=[{"id": "thread", "next_position": 7, "forked_from": None}],
        attempts=[
            *stored.attempts,
            {**stored.attempts[2], "message_id": "answer 3", "response_id": call.response_id},
        ],
        keys=[
            *stored.keys,
            {"key": "n2-remade", "state": "done", "message_id": "answer 3"},
        ],
    )
    findings = Audit(stored=stored, ledger=ledger, calls=(*_CALLS, call)).findings()

    assert [finding for finding in findings if not finding.holds] == []


def test_books_in_which_nothing_is_show_nothing() -> None:
    """A promise that was not looked at does not hold."""
    stored = Stored(messages=[], threads=[], attempts=[], keys=[])
    findings = Audit(stored=stored, ledger=Ledger(), calls=()).findings()

    assert not any(finding.holds for finding in findings)


def _lose(stored: Stored) -> Stored:
    return attrs.evolve(
        stored,
        messages=stored.messages[:-2],
        threads=[{"id": "thread", "next_position": 4, "forked_from": None}],
    )


def _change_a_byte(stored: Stored) -> Stored:
    stored.messages[3]["content"]["parts"][0]["text"] = "n1 call 1 End"
    return stored


def _leave_a_gap(stored: Stored) -> Stored:
    for row in stored.messages[4:]:
        row["position"] += 1
    return attrs.evolve(stored, threads=[{"id": "thread", "next_position": 7, "forked_from": None}])


def _give_a_position_twice(stored: Stored) -> Stored:
    for row in stored.messages[4:]:
        row["position"] -= 2
    return stored


def _swap_two_chats(stored: Stored) -> Stored:
    rows = list(stored.messages)
    for row, position in zip((*rows[2:4], *rows[4:6]), (4, 5, 2, 3), strict=True):
        row["position"] = position
    return attrs.evolve(stored, messages=[*rows[:2], *rows[4:6], *rows[2:4]])


def _cut_a_link(stored: Stored) -> Stored:
    stored.messages[5]["parent"] = None
    return stored


def _answer_another(stored: Stored) -> Stored:
    stored.messages[5]["parent"] = "question 1"
    return stored


def _charge_more(stored: Stored) -> Stored:
    stored.messages[1]["cost_usd"] = Decimal(1)
    stored.attempts[0]["cost_usd"] = Decimal(1)
    return stored


def _charge_a_call_twice(stored: Stored) -> Stored:
    return attrs.evolve(stored, attempts=[*stored.attempts, stored.attempts[1] | {"cost_usd": Decimal(0)}])


def _answer_a_key_twice(stored: Stored) -> Stored:
    again = [
        row | {"id": f"{row['id']} again", "position": row["position"] + 4} for row in stored.messages[2:4]
    ]
    again[1]["parent"] = again[0]["id"]
    attempt = stored.attempts[1] | {"message_id": "answer 1 again", "response_id": "r9"}
    return attrs.evolve(
        stored,
        messages=[*stored.messages, *again],
        threads=[{"id": "thread", "next_position": 8, "forked_from": None}],
        attempts=[*stored.attempts, attempt],
    )


def _leave_a_key_in_flight(stored: Stored) -> Stored:
    stored.keys[2].update(state="in_flight")
    return stored


def _leave_an_unanswered_key(state: str) -> Callable[[Stored], Stored]:
    def leave(stored: Stored) -> Stored:
        left = {"key": "n2-remade", "state": state, "message_id": None}
        return attrs.evolve(stored, keys=[*stored.keys, left])

    return leave


def _drop_all_attempts(stored: Stored) -> Stored:
    return attrs.evolve(stored, attempts=[])


def _drop_one_attempt(stored: Stored) -> Stored:
    return attrs.evolve(stored, attempts=stored.attempts[1:])


def _name_another_call(stored: Stored) -> Stored:
    stored.attempts[0]["response_id"] = "chatcmpl-9"
    return stored


def _cut_a_turn(stored: Stored) -> Stored:
    stored.messages[2]["content"]["parts"][0]["text"] = "n1"
    return stored


def _give_a_part_away(stored: Stored) -> Stored:
    answer = stored.messages[5]
    answer["content"]["parts"][0]["text"] = "n2 call 2"
    answer.update(status="incomplete", cost_usd=Decimal(0))
    stored.attempts[2].update(outcome="cancelled", cost_usd=Decimal(0))
    return stored


def _forked(stored: Stored) -> Stored:
    """A sound fork at the first answer."""
    question, answer = stored.messages[:2]
    copies = [
        {**question, "id": "copy 0", "thread_id": "zfork", "copied_from": question["id"]},
        {**answer, "id": "copy 1", "thread_id": "zfork", "copied_from": answer["id"], "parent": "copy 0"},
    ]
    fork = {"id": "zfork", "next_position": 2, "forked_from": answer["id"]}
    return attrs.evolve(stored, messages=[*stored.messages, *copies], threads=[*stored.threads, fork])


def _change_a_copy(stored: Stored) -> Stored:
    stored = _forked(stored)
    stored.messages[-1]["model"] = "another"
    return stored


def _copy_in_part(stored: Stored) -> Stored:
    stored = _forked(stored)
    stored.messages[-1].update(parent=None)
    return stored


def _copy_too_little(stored: Stored) -> Stored:
    stored = _forked(stored)
    stored.threads[-1]["forked_from"] = "answer 1"
    return stored


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (_lose, "stored once"),
        (_change_a_byte, "byte for byte"),
        (_leave_a_gap, "without a gap"),
        (_give_a_position_twice, "a double"),
        (_swap_two_chats, "stands behind"),
        (_cut_a_link, "follows the turn"),
        (_answer_another, "follows the turn"),
        (_charge_more, "the costs in the database"),
        (_charge_a_call_twice, "charged twice"),
        (_answer_a_key_twice, "charged once"),
        (_drop_all_attempts, "has the calls that it took"),
        (_drop_one_attempt, "has the calls that it took"),
        (_name_another_call, "has the calls that it took"),
        (_cut_a_turn, "stored as it was sent"),
        (_give_a_part_away, "the costs in the database"),
        (_change_a_copy, "begins as a copy"),
        (_copy_in_part, "begins as a copy"),
        (_copy_too_little, "begins as a copy"),
        (_leave_a_key_in_flight, "no key stays in flight"),
        (_leave_an_unanswered_key("in_flight"), "no key stays in flight"),
        (_leave_an_unanswered_key("interrupted"), "no key stays in flight"),
    ],
)
def test_each_loss_is_found(spoil: Callable[[Stored], Stored], words: str) -> None:
    """One thing is wrong, and the promise that it breaks is named."""
    broken = _broken(spoil(copy.deepcopy(_sound())))

    assert any(words in promise for promise in broken), broken


def test_a_key_that_was_refused_for_good_may_be_left_to_its_lease() -> None:
    """Its server could not give it back; any other key would have its answer."""
    ledger = _ledger()
    ledger.given_up.append(GivenUp(key="n2-remade", body={}, path="/messages/m/regenerate"))
    stored = _leave_an_unanswered_key("in_flight")(_sound())
    findings = Audit(stored=stored, ledger=ledger, calls=_CALLS).findings()

    assert [finding for finding in findings if not finding.holds] == []


def test_what_clients_were_told_counts() -> None:
    """Whatever the database says."""
    ledger = _ledger()
    ledger.violations.append("n1: told a 500")
    findings = Audit(stored=_sound(), ledger=ledger, calls=_CALLS).findings()

    assert [finding.broken for finding in findings if finding.broken] == [("n1: told a 500",)]
