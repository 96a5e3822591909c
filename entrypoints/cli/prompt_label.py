"""`lor3 prompt label`."""

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import attrs
import click

from domain.values import frozen
from entrypoints.cli.options import common, for_tenant, tenant_from
from entrypoints.cli.output import print_json, print_table, say
from entrypoints.cli.prompt_file_state import tell_behind
from entrypoints.cli.prompt_store import authored, etags, matching, on_lor3, weights_text

if TYPE_CHECKING:
    from application.use_cases.label_prompt import LabelledPrompt, LabelPromptCommand
    from domain.prompt.version import LabelMove, Prompt, Weights
    from entrypoints.application import Application

_WEIGHT = re.compile(r"v?(?P<version>[0-9]{1,10})=(?P<weight>[0-9]{1,9})%?\Z", re.ASCII)


@click.command(
    help="""Show the labels of a prompt, or move one.

A label points to a version, or spreads over several: each thread stays with the one it first got. `latest` or
another label as the target means where that points now. Without a target nothing moves: the label's history
is shown. The move is atomic, and every server sees it within a second.

\b
Examples:
  lor3 prompt label support_agent
  lor3 prompt label support_agent production v3 --message "Shorter greeting"
  lor3 prompt label support_agent production v3=90 v4=10
  lor3 prompt label support_agent production staging --force
  lor3 prompt label support_agent canary --remove
"""
)
@click.argument("name")
@click.argument("label", required=False, metavar="[LABEL]")
@click.argument("targets", nargs=-1, metavar="[VERSION | VERSION=WEIGHT…]")
@click.option("--remove", is_flag=True, help="Take the label away.")
@click.option(
    "--protect/--unprotect",
    default=None,
    help="A protected label moves only with --force. [default: as it is]",
)
@click.option("--force", is_flag=True, help="Move a protected label.")
@authored
@matching
@common
@for_tenant
def label(
    name: str,
    label: str | None,
    targets: tuple[str, ...],
    remove: bool,
    protect: bool | None,
    force: bool,
    author: str | None,
    message: str | None,
    if_match: str | None,
    config_path: Path | None,
    as_json: bool,
) -> None:
    if remove and (targets or protect is not None):
        raise click.UsageError("--remove takes the label away; leave out the version and the protection")
    moves = bool(targets) or remove or protect is not None
    if moves and label is None:
        raise click.UsageError("say which label, such as: lor3 prompt label NAME production v3")
    if label is None or not moves:
        if force or message is not None or if_match is not None:
            raise click.UsageError(
                "say where the label is to point, such as: lor3 prompt label NAME production v3"
            )
        _show(config_path, name, label, as_json=as_json)
        return
    move = _Move(name=name, label=label, targets=() if remove else targets, moves=bool(targets) or remove)

    async def run(application: "Application") -> "tuple[LabelledPrompt, str]":
        from domain.errors import StorageUnavailable
        from domain.prompt.reference import VersionRef

        labelled = await move.execute(
            application,
            protected=protect,
            force=force,
            author=author,
            message=message,
            if_match=etags(if_match),
        )
        newest = VersionRef(labelled.prompt.name, labelled.prompt.latest)
        try:
            hashes = await application.read_prompts.hashes(tenant_from(), [newest])
        except StorageUnavailable:
            return labelled, ""  # the label has moved: an error would say that it has not
        return labelled, hashes.get(newest, "")

    labelled, newest = on_lor3(config_path, run)
    _print_move(labelled, label, moved=move.moves, as_json=as_json)
    if newest:
        tell_behind(labelled.prompt, newest)


@frozen(kw_only=True)
class _Move:
    name: str
    label: str
    targets: tuple[str, ...]
    moves: bool
    """False changes the protection alone."""

    async def execute(
        self,
        application: "Application",
        *,
        protected: bool | None,
        force: bool,
        author: str | None,
        message: str | None,
        if_match: tuple[str, ...] | None,
    ) -> "LabelledPrompt":
        from application.use_cases.label_prompt import LabelPromptCommand
        from domain.prompt.reference import label_name, prompt_name

        command = LabelPromptCommand(
            tenant=tenant_from(),
            name=prompt_name(self.name),
            label=label_name(self.label),
            weights=None,
            protected=protected,
            force=force,
            author=author,
            message=message,
            if_match=if_match,
        )
        if self.moves:
            command = await self._aimed(application, command)
        return await application.label_prompt.execute(command)

    async def _aimed(self, application: "Application", command: "LabelPromptCommand") -> "LabelPromptCommand":
        """
        Raises:
            InvalidRequest: a target is neither a version, a weight nor a label.
        """
        from domain.prompt.reference import version_number

        if len(self.targets) == 1 and _WEIGHT.match(self.targets[0]) is None:
            (target,) = self.targets
            number = target.removeprefix("v")
            if number.isascii() and number.isdigit():
                return attrs.evolve(command, weights=((version_number(f"v{number}"), 1),))
            return await _aimed_like(application, command, target)
        return attrs.evolve(command, weights=_rollout(self.targets))


def _rollout(targets: tuple[str, ...]) -> "Weights":
    """
    Raises:
        InvalidRequest: naming every part that is no `v3=90`, and versions that are given twice.
    """
    from domain.errors import Fault, InvalidRequest
    from domain.prompt.reference import version_number

    weights: dict[int, int] = {}
    faults: list[Fault] = []
    for target in targets:
        match = _WEIGHT.match(target)
        if match is None:
            faults.append(Fault(path="weights", message=f"`{target}` is no weight; write `v3=90 v4=10`"))
            continue
        number = version_number(f"v{match['version']}", path="weights")
        if number in weights:
            faults.append(Fault(path="weights", message=f"v{number} is given twice; keep one"))
        weights[number] = int(match["weight"])
    if faults:
        raise InvalidRequest.of(*faults)
    return tuple(sorted(weights.items()))


async def _aimed_like(
    application: "Application", command: "LabelPromptCommand", target: str
) -> "LabelPromptCommand":
    """To where another label points, which must not move meanwhile."""
    from domain.errors import Fault, InvalidRequest, NotFound
    from domain.prompt.reference import LATEST, PromptReference, label_name

    try:
        name = target if target == LATEST else label_name(target)
    except InvalidRequest as error:
        raise InvalidRequest.of(
            Fault(
                path="version",
                message=f"`{target}` is no version, weight or label; write `v3`, `v3=90 v4=10` or `staging`",
            )
        ) from error
    view = await application.read_prompts.one(tenant_from(), PromptReference(name=command.name, label=name))
    other = view.prompt.label(name)
    weights = other.weights if other is not None else ((view.prompt.latest, 1),)
    if other is None and name != LATEST:
        raise NotFound(
            f"`{command.name}` has no label `{name}` any more; look with `lor3 prompt label {command.name}`"
        )
    return attrs.evolve(command, weights=weights, if_match=command.if_match or (view.prompt.etag,))


def _print_move(labelled: "LabelledPrompt", name: str, *, moved: bool, as_json: bool) -> None:
    from entrypoints.prompt_rendering import labelled_json

    after = labelled.label
    if as_json:
        print_json(labelled_json(labelled, name))
        return
    protection = ", protected" if after is not None and after.protected else ""
    if not moved and after is not None:
        words = f"{weights_text(after.weights)}{protection or ', not protected'}"
    else:
        words = (
            f"{weights_text(labelled.before)} → {weights_text(after.weights if after else ())}{protection}"
        )
    click.echo(f"{labelled.prompt.name}@{name}: {words}")


@frozen(kw_only=True)
class _Labels:
    prompt: "Prompt"
    moves: "dict[str, tuple[LabelMove, ...]]"


def _show(config_path: Path | None, name: str, label: str | None, *, as_json: bool) -> None:
    from domain.errors import NotFound
    from domain.prompt.reference import label_name, prompt_name
    from entrypoints.prompt_rendering import label_detail_json

    named, only = prompt_name(name), label_name(label) if label is not None else None
    labels = on_lor3(config_path, lambda application: _read(application, named, only))
    prompt = labels.prompt
    if only is not None and prompt.label(only) is None and not labels.moves[only]:
        there = ", ".join(f"`{each.name}`" for each in prompt.labels) or "none"
        raise NotFound(f"`{prompt.name}` has no label `{only}`; it has {there}")
    if as_json:
        details = [
            label_detail_json(prompt, prompt.label(each), each, moves) for each, moves in labels.moves.items()
        ]
        print_json(
            details[0] if only is not None else {"name": prompt.name, "labels": details, "etag": prompt.etag}
        )
        return
    if not labels.moves:
        say(f"`{prompt.name}` has no label, so its name means v{prompt.latest}")
        return
    print_table(
        ("label", "when", "points to", "since (UTC)", "by", "why"),
        [row for each, moves in labels.moves.items() for row in _rows(prompt, each, moves)],
        folding=("why", "points to", "by"),
    )


async def _read(application: "Application", name: str, only: str | None) -> _Labels:
    from domain.prompt.reference import LATEST, PromptName, PromptReference

    named = PromptName(name)
    view = await application.read_prompts.one(tenant_from(), PromptReference(name=named, label=LATEST))
    names = [only] if only is not None else [each.name for each in view.prompt.labels]
    return _Labels(
        prompt=view.prompt,
        moves={each: await application.read_prompts.moves(tenant_from(), named, each) for each in names},
    )


def _rows(prompt: "Prompt", name: str, moves: "tuple[LabelMove, ...]") -> list[tuple[str, ...]]:
    """Where the label points now, then where it pointed, newest first."""
    label = prompt.label(name)
    mark = " (protected)" if label is not None and label.protected else ""
    return [
        (
            f"{name}{mark}" if index == 0 or not sys.stdout.isatty() else "",
            "before" if index else "now",
            weights_text(move.weights),
            move.moved_at.strftime("%Y-%m-%d %H:%M"),
            move.author or "",
            move.message or "",
        )
        for index, move in enumerate(moves)
    ]
