"""Prompts to rows and back, as `rows.py` does it for chats."""

import datetime
import json
from collections.abc import Mapping
from typing import Any, cast

import attrs

from adapters.persistence.rows import Row
from domain.errors import InvalidRequest, UnreadableVersion
from domain.ids import Tenant
from domain.prompt.document import description_in, document_text, read_source
from domain.prompt.reference import PromptName, VersionRef
from domain.prompt.source import PromptSource
from domain.prompt.version import (
    FileLink,
    Label,
    LabelMove,
    MadeBy,
    Pin,
    Prompt,
    PromptVersion,
    RemoteLink,
    VersionOutline,
    Weights,
)


def prompt_row(prompt: Prompt) -> Row:
    file, assistant = prompt.file, prompt.assistant
    return {
        "name": prompt.name,
        "latest": prompt.latest,
        "next_number": prompt.next_number,
        "revision": prompt.revision,
        "labels": [_label_row(label) for label in prompt.labels],
        "file": None if file is None else _link_row(file),
        "assistant": None if assistant is None else {"id": assistant.id, "hash": assistant.hash},
        "created_at": prompt.created_at,
        "updated_at": prompt.updated_at,
    }


def version_row(version: PromptVersion) -> Row:
    return {
        "name": version.name,
        "number": version.number,
        "hash": version.hash,
        "template": document_text(version.source),
        "declares": version.source.declares,
        "pins": [
            {"written": pin.written, "name": pin.ref.name, "number": pin.ref.number, "hash": pin.hash}
            for pin in version.pins
        ],
        "made_by": version.made_by,
        "author": version.author,
        "message": version.message,
        "created_at": version.created_at,
        "used_at": None,
    }


def _link_row(link: FileLink) -> dict[str, str]:
    row = {"path": link.path, "hash": link.hash}
    return row if link.in_folder is None else row | {"in_folder": link.in_folder}


def pin_rows(version: PromptVersion) -> list[Row]:
    """One for each version that `version` pins, however often it is written."""
    return [
        {
            "pinned_name": pinned.name,
            "pinned_number": pinned.number,
            "name": version.name,
            "number": version.number,
        }
        for pinned in dict.fromkeys(pin.ref for pin in version.pins)
    ]


def move_row(move: LabelMove, *, position: int) -> Row:
    return {
        "name": move.name,
        "label": move.label,
        "position": position,
        "weights": [list(weight) for weight in move.weights],
        "author": move.author,
        "message": move.message,
        "moved_at": move.moved_at,
    }


def prompt_of(row: Mapping[str, Any]) -> Prompt:
    file, assistant = row["file"], row["assistant"]
    return Prompt(
        tenant=Tenant(row["tenant"]),
        name=PromptName(row["name"]),
        latest=row["latest"],
        next_number=row["next_number"],
        revision=row["revision"],
        labels=tuple([_label_of(label) for label in row["labels"]]),
        file=None if file is None else FileLink(**file),
        assistant=None if assistant is None else RemoteLink(id=assistant["id"], hash=assistant["hash"]),
        created_at=row["created_at"],
        updated_at=row["updated_at"],
    )


def version_of(row: Mapping[str, Any]) -> PromptVersion:
    """
    Raises:
        UnreadableVersion: the row's template is none.
    """
    return PromptVersion(
        tenant=Tenant(row["tenant"]),
        name=PromptName(row["name"]),
        number=row["number"],
        hash=row["hash"],
        source=_source_of(row),
        pins=tuple(
            [
                Pin(
                    written=pin["written"],
                    ref=VersionRef(PromptName(pin["name"]), pin["number"]),
                    hash=pin["hash"],
                )
                for pin in row["pins"]
            ]
        ),
        made_by=cast("MadeBy", row["made_by"]),
        author=row["author"],
        message=row["message"],
        created_at=row["created_at"],
    )


def outline_of(row: Mapping[str, Any]) -> VersionOutline:
    return VersionOutline(
        name=PromptName(row["name"]),
        number=row["number"],
        hash=row["hash"],
        description=description_in(row["beginning"]),
        size_bytes=row["size_bytes"],
    )


def ref_of(row: Mapping[str, Any]) -> VersionRef:
    return VersionRef(PromptName(row["name"]), row["number"])


def move_of(row: Mapping[str, Any]) -> LabelMove:
    return LabelMove(
        name=PromptName(row["name"]),
        label=row["label"],
        weights=_weights_of(row["weights"]),
        author=row["author"],
        message=row["message"],
        moved_at=row["moved_at"],
    )


def _source_of(row: Mapping[str, Any]) -> PromptSource:
    # The standard library's JSON, not the store's: a default may be an integer past 64 bits.
    try:
        source = read_source(json.loads(row["template"]))
    except (InvalidRequest, ValueError) as error:
        raise UnreadableVersion(str(ref_of(row))) from error
    return source if row["declares"] else attrs.evolve(source, declares=False)


def _label_row(label: Label) -> Row:
    return {
        "name": label.name,
        "weights": [list(weight) for weight in label.weights],
        "protected": label.protected,
        "moved_at": label.moved_at.astimezone(datetime.UTC).isoformat(timespec="microseconds"),
        "moved_by": label.moved_by,
    }


def _label_of(label: Mapping[str, Any]) -> Label:
    return Label(
        name=label["name"],
        weights=_weights_of(label["weights"]),
        protected=label["protected"],
        moved_at=datetime.datetime.fromisoformat(label["moved_at"]),
        moved_by=label["moved_by"],
    )


def _weights_of(weights: list[list[int]]) -> Weights:
    return tuple([(number, weight) for number, weight in weights])
