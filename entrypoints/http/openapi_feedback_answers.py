"""The schemas of feedback and usage as `entrypoints/feedback_rendering.py` writes them; a test compares the two."""

from collections.abc import Mapping
from typing import Final

from domain.feedback import RATINGS
from domain.json_value import JSONObject, JSONValue
from domain.usage_report import GROUPS
from entrypoints.http.openapi_answers import PROMPT_VERSION
from entrypoints.http.schema_parts import (
    TEXT,
    count,
    list_of,
    nullable,
    record,
    ref,
    ref_or_null,
    text,
    uuid_text,
)

_RATING: Final[JSONObject] = {
    "enum": list(RATINGS),
    "description": "A thumb, or 1 to 5, of which 5 is best.",
}
_GIVEN: Final[Mapping[str, JSONValue]] = {
    "rating": _RATING,
    "comment": nullable("string", "Why; null where none was given."),
    "tags": list_of(TEXT, "Words to sort it by, in alphabetical order."),
    "user": nullable("string", "Whoever rated, as the caller names them; null where none was given."),
    "given_at": text("When, RFC 3339."),
}
_MESSAGE_ID: Final = uuid_text("The answer that it is about.")
_BOUND: Final = "of the interval that holds the true mean in 95 of 100 cases (Wilson); null without ratings."

FEEDBACK_SCHEMAS: Final[Mapping[str, JSONObject]] = {
    "Feedback": record("The newest word on an answer.", _GIVEN),
    "GivenFeedback": record(
        "The feedback of an answer as it stands now.", {"message_id": _MESSAGE_ID, **_GIVEN}
    ),
    "MessageFeedback": record(
        "The feedback of a message and its last 100 changes.",
        {
            "message_id": uuid_text("The message."),
            "thread_id": uuid_text("The thread that it belongs to."),
            "feedback": ref_or_null("Feedback", "As it stands now; null without any."),
            "history": list_of(ref("FeedbackChange"), "Its changes, newest first."),
        },
    ),
    "FeedbackChange": record(
        "One change of a feedback.",
        {
            "position": count("1, 2, 3 … of this message."),
            "at": text("When, RFC 3339."),
            "feedback": ref_or_null("Feedback", "What was said from then on; null where it was taken back."),
        },
    ),
    "FeedbackPage": record(
        "Some of the feedback of a thread, by the position of the answer.",
        {
            "items": list_of(ref("RatedMessage"), "The feedback."),
            "next_cursor": nullable("string", "Send it as `cursor` for the next page; null on the last one."),
        },
    ),
    "RatedMessage": record(
        "The feedback of an answer.",
        {"message_id": _MESSAGE_ID, "position": count("The answer's place in its thread."), **_GIVEN},
    ),
    "UsageReport": record(
        "What was used in a time.",
        {
            "from": text("The beginning, RFC 3339."),
            "to": text("The end, not included, RFC 3339."),
            "group_by": {
                "enum": [*GROUPS, None],
                "description": "What the rows are of; null for a single one.",
            },
            "items": list_of(ref("UsageRow"), "A row for each group, by its name."),
        },
    ),
    "UsageRow": record(
        "The answers of one group. Of copies in forks the ratings count alone; answers of deleted threads count.",
        {
            "group": nullable(
                "string",
                "Its name; null for the answers that have none, such as those without a prompt, and where all are "
                "one group.",
            ),
            "name": nullable("string", "What a key is called, where it is known; null for all else."),
            "requests": count("Chats that a model was asked for, failed ones too."),
            "errors": count("How many of them failed."),
            "refused": count(
                "Requests that were turned away and became no chat, of whole hours: none of `requests`. Nobody knows "
                "their model, prompt or user, so where rows are of these they stand in the one without a name."
            ),
            "input_tokens": count("Tokens of the prompts, cached ones included."),
            "output_tokens": count("Tokens of the answers."),
            "cached_input_tokens": count("Tokens of the prompts that the provider had in its cache."),
            "cache_write_tokens": count("Tokens of the prompts that the provider put into its cache."),
            "reasoning_tokens": count("Tokens of the answers that were thought and not said."),
            "estimated": count("Of how many the tokens were estimated."),
            "cost_usd": text("The cost of those whose price is known, in USD, a decimal.", example="1.2048"),
            "unpriced": count("How many have an unknown price."),
            "latency_ms": ref(
                "Latency", "From the request's arrival to the answer's end, of complete answers."
            ),
            "ratings": ref("Ratings", "What people thought of them."),
        },
    ),
    "Latency": record(
        "Milliseconds; null without a complete answer, and of users all but the mean. The mean is exact; the others are told from counts of how many "
        "answers took how long, in steps of a fifth, and are off by one or two in a hundred.",
        {
            "mean": nullable("number", "The mean."),
            "p50": nullable("number", "Half of the answers took no longer."),
            "p95": nullable("number", "95 of 100 answers took no longer."),
            "p99": nullable("number", "99 of 100 answers took no longer."),
        },
    ),
    "Ratings": record(
        "Ratings as scores from 0 to 1: thumbs down and 1 are 0, thumbs up and 5 are 1.",
        {
            "count": count("How many answers are rated."),
            "mean": nullable("number", "The mean score; null without ratings."),
            "low": nullable("number", f"The lower end {_BOUND}"),
            "high": nullable("number", f"The upper end {_BOUND}"),
            "thumbs_up": count("How many thumbs point up."),
            "thumbs_down": count("How many thumbs point down."),
            "stars_mean": nullable("number", "The mean of the ratings from 1 to 5; null without any."),
        },
    ),
    "RatedConversation": record(
        "A line of the export.",
        {
            "messages": list_of(
                {"type": "object"},
                "In OpenAI's shape for fine-tuning, tool calls included; the last one is the rated answer.",
            ),
            "rating": _RATING,
            "score": {"type": "number", "description": "The rating as a number from 0 to 1."},
            "comment": nullable("string", "Why; null where none was given."),
            "tags": list_of(TEXT, "Words to sort it by, in alphabetical order."),
            "model": nullable(
                "string", "The model that answered; null for an answer that the caller brought."
            ),
            "prompt_version": PROMPT_VERSION,
            "message_id": uuid_text("The answer."),
            "thread_id": uuid_text("Its thread."),
            "created_at": text("When the answer was made, RFC 3339."),
        },
    ),
}
