"""Holds the database against what clients were told and what the provider gave."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any, Final

import attrs
import psycopg
from psycopg.rows import DictRow, dict_row

from adapters.persistence import tenancy
from tests.torture.ledger import Acknowledged, Ledger
from tests.torture.upstream import Call, cost_usd

_SHOWN: Final = 20
_COPIED: Final = (
    "position", "role", "content", "status", "error_code", "provider", "model", "input_tokens", "output_tokens",
    "cost_usd", "created_at",
)  # fmt: skip
"""What a copy has in common with its original; a thread that is forked here never lost its beginning."""


@attrs.frozen(kw_only=True)
class Finding:
    """One promise, and where it was broken."""

    promise: str
    looked_at: int
    broken: tuple[str, ...] = ()

    @property
    def holds(self) -> bool:
        """Where nothing was looked at, nothing is shown."""
        return bool(self.looked_at) and not self.broken

    @property
    def verdict(self) -> str:
        if self.broken:
            return f"BROKEN {len(self.broken):,} times"
        return "holds" if self.holds else "BROKEN: there was nothing to look at"

    def as_json(self) -> dict[str, Any]:
        return {
            "promise": self.promise,
            "holds": self.holds,
            "looked_at": self.looked_at,
            "broken": len(self.broken),
            "examples": list(self.broken[:_SHOWN]),
        }


@attrs.frozen(kw_only=True)
class Stored:
    """All that the database holds."""

    messages: Sequence[DictRow]
    """By thread and position."""
    threads: Sequence[DictRow]
    attempts: Sequence[DictRow]
    keys: Sequence[DictRow]

    @classmethod
    def read(cls, url: str) -> "Stored":
        with psycopg.connect(url, row_factory=dict_row) as connection:
            connection.execute("SELECT set_config(%s, %s, false)", (tenancy.SETTING, tenancy.ALL))

            def rows(statement: str) -> list[DictRow]:
                return connection.execute(statement).fetchall()

            return cls(
                messages=rows("SELECT * FROM messages ORDER BY thread_id, position, id"),
                threads=rows("SELECT * FROM threads"),
                attempts=rows("SELECT * FROM attempts"),
                keys=rows(
                    "SELECT *, state = 'in_flight' AND lease_until < now() AS is_stuck FROM idempotency_keys"
                ),
            )


@attrs.frozen(kw_only=True)
class Audit:
    """The checks, each over everything."""

    stored: Stored
    ledger: Ledger
    calls: Sequence[Call]

    def findings(self) -> tuple[Finding, ...]:
        return (
            self._acknowledged(),
            self._texts(),
            self._turns(),
            self._copies(),
            self._positions(),
            self._order(),
            self._parents(),
            self._charged_once(),
            self._costs(),
            self._attempts(),
            self._keys(),
            Finding(
                promise="clients are told nothing else: no 500, no thread that is gone, no second answer",
                looked_at=self.ledger.sends,
                broken=tuple(self.ledger.violations),
            ),
        )

    def _answers(self) -> Iterable[DictRow]:
        """Copies aside: those are held against their originals."""
        return (
            row for row in self.stored.messages if row["role"] == "assistant" and row["copied_from"] is None
        )

    @property
    def _all_acknowledged(self) -> list[Acknowledged]:
        return [*self.ledger.acknowledged, *self.ledger.remade]

    def _acknowledged(self) -> Finding:
        """By id, not by text: a copy elsewhere is another answer."""
        by_id: dict[str, list[DictRow]] = defaultdict(list)
        for row in self._answers():
            by_id[str(row["id"])].append(row)
        broken = []
        for told in self._all_acknowledged:
            rows = by_id.get(told.answer["message_id"], [])
            if len(rows) != 1:
                broken.append(f"{told.nonce}: acknowledged, and stored {len(rows)} times")
            elif differences := _differences(told, rows[0]):
                broken.append(f"{told.nonce}: stored with another {differences}")
        return Finding(
            promise="every acknowledged answer is stored once, byte for byte",
            looked_at=len(self._all_acknowledged),
            broken=tuple(broken),
        )

    def _texts(self) -> Finding:
        """Also of answers whose client knows nothing."""
        by_text = {call.text for call in self.calls}
        broken, seen = [], Counter[str]()
        looked_at = 0
        for row in self._answers():
            text = _text(row)
            if row["status"] == "complete":
                looked_at += 1
                seen[text] += 1
                if text not in by_text:
                    broken.append(f"{row['id']}: complete, and not what the provider said")
            elif text and not any(known.startswith(text) for known in by_text):
                broken.append(
                    f"{row['id']}: {row['status']}, and not the beginning of what the provider said"
                )
        broken += [f"stored {count} times: {text[:40]}" for text, count in seen.items() if count > 1]
        return Finding(
            promise="an answer that is stored as complete is one the provider gave, and there once",
            looked_at=looked_at,
            broken=tuple(broken),
        )

    def _turns(self) -> Finding:
        """Of copies too."""
        turns = [row for row in self.stored.messages if row["role"] == "user"]
        broken = [
            f"{row['id']}: stored as {text[:40]!r} ({len(text)} characters), sent as {sent and sent[:40]!r}"
            for row in turns
            if (sent := self.ledger.sent.get((text := _text(row)).partition(" ")[0])) != text
        ]
        return Finding(
            promise="every turn of a user is stored as it was sent",
            looked_at=len(turns),
            broken=tuple(broken),
        )

    def _copies(self) -> Finding:
        by_id = {str(row["id"]): row for row in self.stored.messages}
        threads = {str(row["id"]): row for row in self.stored.threads}
        copies: dict[str, dict[str, DictRow]] = defaultdict(dict)
        for row in self.stored.messages:
            if row["copied_from"] is not None:
                copies[str(row["thread_id"])][str(row["copied_from"])] = row
        broken = []
        for of_original in copies.values():
            for original_id, copy in of_original.items():
                original = by_id.get(original_id)
                if original is None:
                    broken.append(f"{copy['id']}: its original is missing")
                    continue
                broken += [
                    f"{copy['id']}: another {name}" for name in _COPIED if copy[name] != original[name]
                ]
                parent = of_original.get(str(original["parent"]))
                if copy["parent"] != (parent and parent["id"]):
                    broken.append(f"{copy['id']}: its parent is not the copy of its original's")
        for thread, row in threads.items():
            at = None if row["forked_from"] is None else str(row["forked_from"])
            if at != self.ledger.forks.get(thread, at):
                broken.append(f"thread {thread}: forked at {at}, not where it was asked to be")
            elif at is not None and (at not in by_id or len(copies[thread]) != by_id[at]["position"] + 1):
                broken.append(f"thread {thread}: begins with {len(copies[thread])} copies")
        broken += [
            f"thread {each}: acknowledged, and missing" for each in self.ledger.forks.keys() - threads.keys()
        ]
        return Finding(
            promise="a fork begins as a copy of its thread, and with nothing else",
            looked_at=len(threads),
            broken=tuple(broken),
        )

    def _positions(self) -> Finding:
        positions: dict[str, list[int]] = defaultdict(list)
        for row in self.stored.messages:
            positions[str(row["thread_id"])].append(row["position"])
        broken = [
            f"thread {row['id']}: positions {found[:40]}, next {row['next_position']}"
            for row in self.stored.threads
            if (found := positions[str(row["id"])]) != list(range(row["next_position"]))
        ]
        return Finding(
            promise="positions of every thread are 0 to n-1, without a gap or a double",
            looked_at=len(self.stored.threads),
            broken=tuple(broken),
        )

    def _order(self) -> Finding:
        """In the order in which answers were known before the next chat was sent."""
        positions = {str(row["id"]): row["position"] for row in self._answers()}
        by_thread: dict[str, list[Acknowledged]] = defaultdict(list)
        for told in self._all_acknowledged:
            if told.answer["message_id"] in positions:
                by_thread[told.answer["thread_id"]].append(told)
        broken = []
        for thread, chats in by_thread.items():
            known = sorted(chats, key=lambda each: each.acknowledged_at)
            done, highest = 0, -1
            for chat in sorted(chats, key=lambda each: each.first_sent_at):
                while known[done].acknowledged_at < chat.first_sent_at:
                    highest = max(highest, positions[known[done].answer["message_id"]])
                    done += 1
                if positions[chat.answer["message_id"]] < highest:
                    broken.append(f"thread {thread}: {chat.nonce} stands before one that was answered before")
        return Finding(
            promise="a chat stands behind those of its thread that were answered before it was sent",
            looked_at=sum(map(len, by_thread.values())),
            broken=tuple(broken),
        )

    def _parents(self) -> Finding:
        by_id = {str(row["id"]): row for row in self.stored.messages}
        before = _places_before(self.stored.messages)
        broken = []
        for row in self.stored.messages:
            parent = None if row["parent"] is None else by_id.get(str(row["parent"]))
            if row["role"] == "user" and row["parent"] is None:
                continue  # the first turn of a chat
            if parent is None:
                broken.append(f"{row['id']}: its parent is missing")
            elif parent["thread_id"] != row["thread_id"]:
                broken.append(f"{row['id']}: its parent is in another thread")
            elif parent["role"] != "user" or parent["position"] != before[str(row["id"])]:
                broken.append(f"{row['id']}: its parent is not the turn before it")
            elif _text(parent).partition(" ")[0] != _text(row).partition(" ")[0] and _text(row):
                broken.append(f"{row['id']}: answers another request than its parent")
        return Finding(
            promise="every answer follows the turn that it answers",
            looked_at=len(self.stored.messages),
            broken=tuple(broken),
        )

    def _charged_once(self) -> Finding:
        by_id = {str(row["id"]): row for row in self.stored.messages}
        charged: dict[str, list[str]] = defaultdict(list)
        for row in self._answers():
            parent = by_id.get(str(row["parent"]))
            if row["status"] == "complete" and row["cost_usd"] and parent is not None:
                charged[_text(parent).partition(" ")[0]].append(str(row["id"]))
        owed: dict[str, list[str]] = defaultdict(list)
        for told in self._all_acknowledged:
            owed[told.nonce].append(told.answer["message_id"])
        keyed = [told for told in self._all_acknowledged if told.key]
        broken = [
            f"{nonce}: charged for {charged[nonce]}, acknowledged as {ids}"
            for nonce, ids in owed.items()
            if sorted(charged[nonce]) != sorted(ids)
        ]
        return Finding(
            promise="each Idempotency-Key is charged once, for the answer that was acknowledged",
            looked_at=len(keyed),
            broken=tuple(broken),
        )

    def _costs(self) -> Finding:
        """Each by the provider's own bill, and so their sum. Of what broke off before its bill came there is none:
        that is estimated, and never free of charge."""
        bills = {call.text: call for call in self.calls}
        broken = []
        total = Decimal(0)
        looked_at = 0
        for row in self._answers():
            stored = row["cost_usd"] or Decimal(0)
            total += stored
            looked_at += 1
            text = _text(row)
            if row["status"] == "complete" and (bill := bills.get(text)) is not None:
                owed = bill.cost_usd
            elif text and not stored:
                broken.append(f"{row['id']} ({row['status']}): free of charge, and says {text[:40]!r}")
                continue
            elif text and row["usage_estimated"] and not self._is_about(stored, text):
                broken.append(f"{row['id']} ({row['status']}): {stored} is no estimate of {text[:40]!r}")
                continue
            elif text and not row["usage_estimated"]:
                owed = next(
                    (
                        call.cost_usd
                        for call in self.calls
                        if call.text.startswith(text) and call.cost_usd == stored
                    ),
                    Decimal(0),
                )
            elif row["input_tokens"] is not None and stored:
                owed = cost_usd(row["input_tokens"], row["output_tokens"])
            else:
                owed = Decimal(0)
            if stored != owed:
                broken.append(f"{row['id']} ({row['status']}): stored {stored}, owed {owed}")
        told = sum((Decimal(each.answer["cost_usd"]) for each in self._all_acknowledged), Decimal(0))
        if told > total:
            broken.append(f"clients were told of {told} USD, and {total} USD are stored")
        return Finding(
            promise="the costs in the database are the sum of the stored answers'",
            looked_at=looked_at,
            broken=tuple(broken),
        )

    def _is_about(self, cost: Decimal, text: str) -> bool:
        """Whether this may be the cost of a call of which so much was said; the provider counts characters."""
        said = [cost_usd(call.input_tokens, len(text)) for call in self.calls if call.text.startswith(text)]
        return any(bill / 10 <= cost <= bill * 3 for bill in said)

    def _attempts(self) -> Finding:
        costs: dict[str, Decimal] = defaultdict(Decimal)
        responses = Counter[str]()
        for row in self.stored.attempts:
            costs[str(row["message_id"])] += row["cost_usd"] or Decimal(0)
            if row["response_id"] and row["outcome"] == "ok":
                responses[row["response_id"]] += 1
        messages = {str(row["id"]): row for row in self._answers()}
        broken = [f"attempts of {each}, which is no answer" for each in costs.keys() - messages.keys()]
        broken += [
            f"{each}: its attempts cost {cost}, itself {messages[each]['cost_usd']}"
            for each, cost in costs.items()
            if each in messages and cost != (messages[each]["cost_usd"] or Decimal(0))
        ]
        broken += [f"{each}: charged {count} times" for each, count in responses.items() if count > 1]
        given = {call.response_id: call for call in self.calls}
        answered = {
            str(row["message_id"]): given.get(row["response_id"])
            for row in self.stored.attempts
            if row["outcome"] == "ok"
        }
        for each, row in messages.items():
            if row["status"] == "complete":
                call = answered.get(each)
                if call is None or call.text != _text(row):
                    broken.append(f"{each}: the call that gave it is not among its attempts")
            elif row["status"] != "cancelled" and each not in costs:
                broken.append(f"{each} ({row['status']}): has no attempts")
        return Finding(
            promise="every answer has the calls that it took, and no provider call is charged twice",
            looked_at=len(self.stored.attempts),
            broken=tuple(broken),
        )

    def _keys(self) -> Finding:
        broken = [
            f"{row['key']}: in flight, its lease is over" for row in self.stored.keys if row["is_stuck"]
        ]
        states = {row["key"]: row for row in self.stored.keys}
        for told in self._all_acknowledged:
            if told.key is None:
                continue
            row = states.get(told.key)
            if row is None or row["state"] != "done" or str(row["message_id"]) != told.answer["message_id"]:
                broken.append(f"{told.key}: answered, and stored as {row and row['state']}")
        return Finding(
            promise="no key stays in flight past its lease; each that was answered is done",
            looked_at=len(self.stored.keys),
            broken=tuple(broken),
        )


def _places_before(messages: Sequence[DictRow]) -> dict[str, int]:
    """Where the turn that a message answers must stand: right before it, answers in place of which it was made aside.

    Args:
        messages: by thread and position
    """
    places: dict[str, int] = {}
    first: dict[tuple[str, str], int] = {}
    for row in messages:
        of_parent = str(row["thread_id"]), str(row["parent"])
        if row["role"] == "user":
            places[str(row["id"])] = row["position"] - 1
        else:
            places[str(row["id"])] = first.setdefault(of_parent, row["position"] - 1)
    return places


def _text(row: DictRow) -> str:
    return "".join(part["text"] for part in row["content"]["parts"])


def _differences(told: Acknowledged, row: DictRow) -> str:
    answer = told.answer
    usage = answer["usage"]
    pairs = {
        "text": (answer["output"], _text(row)),
        "status": ("complete", row["status"]),
        "thread": (answer["thread_id"], str(row["thread_id"])),
        "cost": (Decimal(answer["cost_usd"]), row["cost_usd"]),
        "usage": (
            (usage["input_tokens"], usage["output_tokens"]),
            (row["input_tokens"], row["output_tokens"]),
        ),
    }
    return ", ".join(name for name, (ours, theirs) in pairs.items() if ours != theirs)
