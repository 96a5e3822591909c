"""Holds the database against what clients were told and what the provider gave."""

from collections import Counter, defaultdict
from decimal import Decimal

import attrs
from psycopg.rows import DictRow

from tests.torture.books import Books, Finding, text_of
from tests.torture.ledger import Acknowledged
from tests.torture.thread_audit import ThreadAudit
from tests.torture.upstream import cost_usd


@attrs.frozen(kw_only=True)
class Audit(Books):
    """The checks, each over everything."""

    def findings(self) -> tuple[Finding, ...]:
        return (
            self._acknowledged(),
            self._texts(),
            *ThreadAudit(stored=self.stored, ledger=self.ledger, calls=self.calls).findings(),
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

    def _acknowledged(self) -> Finding:
        """By id, not by text: a copy elsewhere is another answer."""
        by_id: dict[str, list[DictRow]] = defaultdict(list)
        for row in self.answers():
            by_id[str(row["id"])].append(row)
        broken = []
        for told in self.all_acknowledged:
            rows = by_id.get(told.answer["message_id"], [])
            if len(rows) != 1:
                broken.append(f"{told.nonce}: acknowledged, and stored {len(rows)} times")
            elif differences := _differences(told, rows[0]):
                broken.append(f"{told.nonce}: stored with another {differences}")
        return Finding(
            promise="every acknowledged answer is stored once, byte for byte",
            looked_at=len(self.all_acknowledged),
            broken=tuple(broken),
        )

    def _texts(self) -> Finding:
        """Also of answers whose client knows nothing."""
        by_text = {call.text for call in self.calls}
        broken, seen = [], Counter[str]()
        looked_at = 0
        for row in self.answers():
            text = text_of(row)
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

    def _charged_once(self) -> Finding:
        by_id = {str(row["id"]): row for row in self.stored.messages}
        charged: dict[str, list[str]] = defaultdict(list)
        for row in self.answers():
            parent = by_id.get(str(row["parent"]))
            if row["status"] == "complete" and row["cost_usd"] and parent is not None:
                charged[text_of(parent).partition(" ")[0]].append(str(row["id"]))
        owed: dict[str, list[str]] = defaultdict(list)
        for told in self.all_acknowledged:
            owed[told.nonce].append(told.answer["message_id"])
        keyed = [told for told in self.all_acknowledged if told.key]
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
        for row in self.answers():
            stored = row["cost_usd"] or Decimal(0)
            total += stored
            looked_at += 1
            text = text_of(row)
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
        told = sum((Decimal(each.answer["cost_usd"]) for each in self.all_acknowledged), Decimal(0))
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
        messages = {str(row["id"]): row for row in self.answers()}
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
                if call is None or call.text != text_of(row):
                    broken.append(f"{each}: the call that gave it is not among its attempts")
            elif row["status"] != "cancelled" and each not in costs:
                broken.append(f"{each} ({row['status']}): has no attempts")
        return Finding(
            promise="every answer has the calls that it took, and no provider call is charged twice",
            looked_at=len(self.stored.attempts),
            broken=tuple(broken),
        )

    def _keys(self) -> Finding:
        """Each was sent until it had its answer or its refusal for good, and every replica has ended since: whatever is
        still held, its lease over or not, is held by nobody.

        That may be so of keys that were refused: where the database did not answer in time, they are left to their
        lease. `Drivers.replay_all` has seen of each of them that it can be had again, and so that no living server
        held it.
        """
        refused = {each.key for each in self.ledger.given_up}
        broken = [
            f"{row['key']}: {row['state']}, and nobody is left to answer it"
            for row in self.stored.keys
            if row["state"] != "done" and row["key"] not in refused
        ]
        states = {row["key"]: row for row in self.stored.keys}
        for told in self.all_acknowledged:
            if told.key is None:
                continue
            row = states.get(told.key)
            if row is None or row["state"] != "done" or str(row["message_id"]) != told.answer["message_id"]:
                broken.append(f"{told.key}: answered, and stored as {row and row['state']}")
        return Finding(
            promise="no key stays in flight but of what was refused for good; each that was answered is done",
            looked_at=len(self.stored.keys),
            broken=tuple(broken),
        )


def _differences(told: Acknowledged, row: DictRow) -> str:
    answer = told.answer
    usage = answer["usage"]
    pairs = {
        "text": (answer["output"], text_of(row)),
        "status": ("complete", row["status"]),
        "thread": (answer["thread_id"], str(row["thread_id"])),
        "cost": (Decimal(answer["cost_usd"]), row["cost_usd"]),
        "usage": (
            (usage["input_tokens"], usage["output_tokens"]),
            (row["input_tokens"], row["output_tokens"]),
        ),
    }
    return ", ".join(name for name, (ours, theirs) in pairs.items() if ours != theirs)
