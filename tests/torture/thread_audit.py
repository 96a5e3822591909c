"""Holds the threads that are stored against what was sent: their turns, their order, their forks."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Final

import attrs
from psycopg.rows import DictRow

from tests.torture.books import Books, Finding, text_of
from tests.torture.ledger import Acknowledged

_COPIED: Final = (
    "position", "role", "content", "status", "error_code", "provider", "model", "input_tokens", "output_tokens",
    "cost_usd", "created_at",
)  # fmt: skip
"""What a copy has in common with its original; a thread that is forked here never lost its beginning."""


@attrs.frozen(kw_only=True)
class ThreadAudit(Books):
    def findings(self) -> tuple[Finding, ...]:
        return (self._turns(), self._copies(), self._positions(), self._order(), self._parents())

    def _turns(self) -> Finding:
        """Of copies too."""
        turns = [row for row in self.stored.messages if row["role"] == "user"]
        broken = [
            f"{row['id']}: stored as {text[:40]!r} ({len(text)} characters), sent as {sent and sent[:40]!r}"
            for row in turns
            if (sent := self.ledger.sent.get((text := text_of(row)).partition(" ")[0])) != text
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
        positions = {str(row["id"]): row["position"] for row in self.answers()}
        by_thread: dict[str, list[Acknowledged]] = defaultdict(list)
        for told in self.all_acknowledged:
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
            elif text_of(parent).partition(" ")[0] != text_of(row).partition(" ")[0] and text_of(row):
                broken.append(f"{row['id']}: answers another request than its parent")
        return Finding(
            promise="every answer follows the turn that it answers",
            looked_at=len(self.stored.messages),
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
