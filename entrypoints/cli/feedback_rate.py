"""`lor3 feedback rate` and `lor3 feedback retract`."""

from pathlib import Path
from typing import TYPE_CHECKING, cast

import click

from entrypoints.cli.choices import one_of
from entrypoints.cli.conversation import rating_text
from entrypoints.cli.identifiers import message_id
from entrypoints.cli.on_threads import on_threads
from entrypoints.cli.options import common, for_tenant, tenant_from
from entrypoints.cli.output import print_json, say

if TYPE_CHECKING:
    from domain.feedback import Feedback, Rating
    from entrypoints.application import Application


@click.command(
    help="""Say what somebody thought of an answer.

An answer has one rating: whoever rates last overwrites it, and the history keeps all. The same word again changes
nothing.

\b
Examples:
  lor3 feedback rate 01890a5d-ac96-774b-bcce-b302099a8057 --rating thumbs_up
  lor3 feedback rate 01890a5d-ac96-774b-bcce-b302099a8057 --rating 2 --comment "Too long" --tag length
"""
)
@click.argument("message", metavar="MESSAGE_ID")
@click.option(
    "--rating", required=True, metavar="RATING", help="thumbs_up, thumbs_down, or 1 to 5, of which 5 is best."
)
@click.option("--comment", metavar="TEXT", help="Why.")
@click.option("--tag", "tags", multiple=True, metavar="TAG", help="To sort it by; may be given again.")
@click.option("--user", metavar="USER", help="Who rates, as your own system calls them.")
@common
@for_tenant
def rate(
    message: str,
    rating: str,
    comment: str | None,
    tags: tuple[str, ...],
    user: str | None,
    config_path: Path | None,
    as_json: bool,
) -> None:
    from entrypoints.feedback_rendering import given_json

    answer = message_id(message, path="MESSAGE_ID")
    given = rating_from(rating, path="--rating")

    async def run(application: "Application") -> "Feedback":
        from application.use_cases.rate_message import RateMessageCommand

        return await application.rate_message.execute(
            RateMessageCommand(
                tenant=tenant_from(), message_id=answer, rating=given, comment=comment, tags=tags, user=user
            )
        )

    feedback = on_threads(config_path, run)
    if as_json:
        print_json(given_json(answer, feedback))
    else:
        click.echo(f"rated {answer} {rating_text(feedback)}")


@click.command(
    help="""Take the rating of an answer back. The history keeps that it was given.

\b
Example:
  lor3 feedback retract 01890a5d-ac96-774b-bcce-b302099a8057
"""
)
@click.argument("message", metavar="MESSAGE_ID")
@common
@for_tenant
def retract(message: str, config_path: Path | None, as_json: bool) -> None:

    answer = message_id(message, path="MESSAGE_ID")
    was_rated = on_threads(
        config_path, lambda application: application.rate_message.take_back(tenant_from(), answer)
    )
    if as_json:
        print_json({"message_id": answer, "retracted": was_rated})
    elif was_rated:
        click.echo(f"took back the rating of {answer}")
    else:
        say("there was no rating to take back")


def rating_from(text: str, *, path: str) -> "Rating":
    """
    Raises:
        Misused: it is none.
    """
    from domain.feedback import RATINGS

    word = one_of(text, [str(each) for each in RATINGS], path=path)
    return cast("Rating", int(word) if word.isdigit() else word)
