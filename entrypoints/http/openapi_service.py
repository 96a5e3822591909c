"""The schemas of `GET /config` and `POST /chat/explain`; tests compare them with what is answered."""

from collections.abc import Mapping
from typing import Final

from domain.json_value import JSONObject
from entrypoints.http.openapi_answers import PROMPT_VERSION
from entrypoints.http.schema_parts import (
    FLAG,
    TEXT,
    choice,
    count,
    flag,
    list_of,
    money,
    nullable,
    number,
    object_of,
    record,
    ref,
    ref_or_null,
    text,
)

EXPLANATION_SCHEMAS: Final[Mapping[str, JSONObject]] = {
    "Explanation": record(
        "What would happen to a chat.",
        {
            "request": ref("Request", "As parsed, with all defaults filled in, before any pass."),
            "passes": list_of(ref("PassStep"), "What each pass did, in order."),
            "compiled": ref_or_null("Request", "After all passes; null where no model is left to ask."),
            "prompt_version": PROMPT_VERSION,
            "prompt": ref_or_null("ComposedPrompt", "The stored prompt, composed and filled in."),
            "context": ref("ContextUse", "How much of the thread would go into the prompt."),
            "messages": ref("MessageCount", "Messages in the prompt, the caller's own included."),
            "candidates": list_of(ref("Candidate"), "The models in the order they would be asked."),
            "tokens": ref_or_null("TokenCount", "Counts and limits for the first model that is in."),
            "wire": ref_or_null("WireRequest", "The exact request to that model, without credentials."),
            "cost": ref_or_null("CostEstimate", "What it would cost there."),
            "warnings": list_of(TEXT, "What the answer would warn of."),
        },
    ),
    "RememberedCount": record(
        "What a thread gives to a prompt.",
        {
            "messages": count("Messages to put in."),
            "summary": flag("Whether a summary of the older ones goes in front of them."),
        },
    ),
    "Request": record(
        "A chat as lor3 holds it, in the names of the body of `POST /chat`.",
        {
            "model": text("The model to ask first."),
            "fallbacks": list_of(TEXT, "The models to ask when that one fails, in order."),
            "prompt": nullable(
                "string", "The stored prompt's version, until the pass `system-prompt` puts it in."
            ),
            "memory": ref_or_null(
                "RememberedCount",
                "What the thread gives, until the pass `memory-lane` puts it into `history`.",
            ),
            "system": nullable("string", "The system text."),
            "prelude": list_of(ref("MessageBody"), "The stored prompt's own turns, such as worked examples."),
            "history": list_of(ref("MessageBody"), "The turns before, oldest first."),
            "messages": list_of(ref("MessageBody"), "The turns to answer."),
            "format": text("The format of the answer."),
            "schema": nullable("object", "The JSON Schema that the answer has to fit."),
            "output": ref_or_null("OutputConstraint", "What the provider itself is told to keep to."),
            "max_tokens": nullable("integer", "The longest answer, in tokens."),
            "temperature": nullable("number", "Randomness."),
            "top_p": nullable("number", "Nucleus sampling."),
            "stop": list_of(TEXT, "Texts that end the answer."),
            "seed": nullable("integer", "For repeatable sampling."),
            "tools": list_of({"type": "object"}, "The functions that the model may call, in OpenAI's shape."),
            "tool_choice": {"description": "`auto`, `none`, `required`, one function, or null."},
            "user": nullable("string", "The caller's id of its end user."),
            "parameters": {
                "type": "object",
                "description": "Further fields of the provider's own wire, passed on as they are.",
            },
        },
    ),
    "ComposedPrompt": record(
        "A stored prompt with its fragments and variables in place.",
        {
            "version": text("Which one.", example="support_agent:v3"),
            "hash": text("Of its source and its fragments' (SHA-256)."),
            "fragments": list_of(TEXT, "The version of each fragment in it, in order of first use."),
            "system": nullable("string", "Its system text."),
            "messages": list_of(ref("MessageBody"), "Its user and assistant turns."),
        },
    ),
    "OutputConstraint": record(
        "A provider's own way of keeping to a format.",
        {
            "kind": text("Which way.", example="json_schema"),
            "schema": nullable("object", "The schema, where that way takes one."),
        },
    ),
    "PassStep": record(
        "What one pass did.",
        {
            "name": text("The pass.", example="token-budget-check"),
            "before": ref("Request", "What it was given."),
            "after": ref("Request", "What it made of that."),
            "notes": list_of(TEXT, "What it did and why; empty where it changed nothing."),
        },
    ),
    "MessageCount": record(
        "Messages in the prompt.",
        {"kept": count("Those in it."), "dropped": count("Those left out, the oldest first.")},
    ),
    "Candidate": record(
        "A model that was considered.",
        {
            "model": text("Which one."),
            "included": flag("Whether it would be asked."),
            "reason": text("Why it is in or out."),
        },
    ),
    "TokenCount": record(
        "Token counts and limits for one model.",
        {
            "prompt_tokens": count("Tokens of the prompt."),
            "estimated": flag("True where the model's own tokenizer is not public."),
            "max_output_tokens": nullable(
                "integer", "What the request leaves for the answer; null: no limit."
            ),
            "context_window": nullable("integer", "What the model takes; null where unknown."),
            "model_max_output_tokens": nullable("integer", "Its longest answer; null where unknown."),
        },
    ),
    "WireRequest": record(
        "A request to a provider, without credentials.",
        {
            "method": text("The HTTP method."),
            "url": text("The URL."),
            "body": {"type": "object", "description": "The JSON body, in the provider's own shape."},
        },
    ),
    "CostEstimate": record(
        "What a chat would cost.",
        {
            "prompt_usd": money("The prompt alone."),
            "max_total_usd": money("With the longest answer that is allowed."),
        },
    ),
}

CONFIG_SCHEMAS: Final[Mapping[str, JSONObject]] = {
    "Config": record(
        "What this lor3 offers.",
        {
            "models": list_of(
                ref("Model"), "The models that a caller may name, in the order of their names."
            ),
            "aliases": object_of(TEXT, "Other names for models: alias to model."),
            "formats": list_of(TEXT, "What `format` may be."),
            "passes": list_of(
                TEXT,
                "The configured compiler passes, in the order they run; `system-prompt` and `memory-lane` always run before them "
                "and `model-limits` after them.",
            ),
            "prompts": list_of(ref("ConfigPrompt"), "The first 100 stored prompts; `GET /prompts` has all."),
            "defaults": ref("Defaults", "What a chat gets where it says nothing."),
            "threads": ref("ThreadPolicy", "How threads are kept."),
            "limits": ref("Limits", "What a request may be at most."),
            "rate_limits": ref("RateLimits", "How much the caller may ask for in a minute, and at a time."),
            "budget": {
                "description": "Where the caller's budgets stand; null without one, and while the database is away.",
                "oneOf": [ref("Budget"), {"type": "null"}],
            },
            "features": object_of(FLAG, "What this version can do: feature to true or false."),
            "warnings": list_of(TEXT, "What the operator should know, such as models that are retired."),
        },
    ),
    "RateLimits": record(
        "Whose limits a chat is counted against: each of them.",
        {
            "key": ref_or_null("RateLimit", "Of the caller's key; null without one, and for a user's token."),
            "user": ref("RateLimit", "Of each end user that requests name."),
            "address": ref("RateLimit", "Of each client address; its requests count whatever they ask for."),
        },
    ),
    "RateLimit": record(
        "What may be asked for; null is no limit.",
        {
            "requests_per_minute": nullable("integer", "Chats, and as many at once."),
            "tokens_per_minute": nullable("integer", "Tokens of prompts and answers together."),
            "concurrency": nullable("integer", "Chats at a time."),
        },
    ),
    "Defaults": record(
        "What a chat gets where it says nothing; the fields are those of the body of `POST /chat`.",
        {
            "model": text("The model to ask first."),
            "fallbacks": list_of(TEXT, "The models to ask when that one fails, in order."),
            "format": text("The format of the answer."),
            "system_prompt": nullable("string", "The stored prompt to begin with; null: none."),
            "context_depth": count("How many of the thread's last messages to inject."),
            "memory": choice(
                ("window", "summary"), "Whether the older messages are injected in a few sentences too."
            ),
            "max_tokens": nullable("integer", "The longest answer, in tokens; null: the model's own limit."),
            "temperature": nullable("number", "Randomness; null: the provider's default."),
            "top_p": nullable("number", "Nucleus sampling; null: the provider's default."),
            "stop": list_of(TEXT, "Texts that end the answer."),
            "seed": nullable("integer", "For repeatable sampling; null: none."),
            "stream": flag("Whether answers come as events."),
            "on_disconnect": choice(("finish", "cancel"), "What a disconnect does."),
        },
    ),
    "ThreadPolicy": record(
        "How threads are kept, and their chats are put in order.",
        {
            "summary_model": nullable(
                "string", "The model that summarises where `memory` is `summary`; null for a user's token."
            ),
            "when_busy": choice(
                ("queue", "reject"), "What a second chat of a thread gets meanwhile: its turn, or a 409."
            ),
            "max_queued": count("Chats that may wait for one thread."),
            "max_wait_s": number("How long one may wait, in seconds."),
            "messages_days": nullable("integer", "After how many days messages are removed; null: never."),
            "deleted_threads_days": count("For how many days a deleted thread's content is kept."),
        },
    ),
    "Limits": record(
        "What a request may be at most.",
        {
            "max_body_bytes": count("Bytes of a body."),
            "max_json_depth": count("Levels of nested JSON."),
            "max_messages": count("Messages in a body."),
            "max_text_characters": count("Characters of one text."),
            "max_context_depth": count("Messages of a thread to inject."),
            "max_page_items": count("Items on a page of a list."),
            "max_title_characters": count("Characters of a thread's title."),
            "max_tags": count("Tags of a thread."),
            "max_tag_characters": count("Characters of a tag."),
            "max_pinned_messages": count("Pinned messages of a thread."),
            "max_forked_messages": count("Messages that a fork begins with."),
            "max_attempts": count("Calls to providers for one chat."),
            "deadline_s": number("Seconds that a chat may take with all its attempts."),
        },
    ),
    "Model": record(
        "A model that a caller may name.",
        {
            "id": text("Its name, `provider:model`.", example="openai:gpt-5.2"),
            "provider": text("The provider that serves it."),
            "capabilities": list_of(TEXT, "What it can do, such as `tools` or `images`."),
            "limits": ref("ModelLimits", "What it takes and gives at most."),
            "price": ref_or_null("Price", "What it costs today; null where unknown."),
            "coming_prices": list_of(
                ref("Price"), "What is configured to hold from a later day on, the next first."
            ),
            "lifecycle": ref("Lifecycle", "Whether and when it ends."),
            "health": choice(
                ("ok", "degraded", "down", "cooling", "unavailable"),
                "`degraded` is being tried again after failures, `down` is passed over because of them, `cooling` "
                "waits as its provider asked, `unavailable` has no key.",
            ),
        },
    ),
    "ConfigPrompt": record(
        "A stored prompt that a chat may name as `system_prompt`.",
        {
            "name": text("Its name.", example="support_agent"),
            "prompt_version": text("The version that the bare name means.", example="support_agent:v3"),
            "labels": list_of(TEXT, "Its labels, which can be named too: `support_agent@staging`."),
            "description": nullable("string", "What it is for."),
        },
    ),
    "ModelLimits": record(
        "A model's limits, in tokens.",
        {
            "context_window": nullable("integer", "Prompt and answer together; null where unknown."),
            "max_output_tokens": nullable("integer", "The longest answer; null where unknown."),
        },
    ),
    "Price": record(
        "USD for a million tokens, decimal strings.",
        {
            "input_per_mtok_usd": money("Of the prompt."),
            "output_per_mtok_usd": money("Of the answer."),
            "from": nullable(
                "string", "The first day (UTC) on which it holds; null where it has ever since."
            ),
            "cached_input_per_mtok_usd": money("Of the part of the prompt that the provider has cached."),
            "cache_write_per_mtok_usd": nullable(
                "string",
                "Of the part that its cache takes in. USD, a decimal; null where that costs what the rest does.",
            ),
            "cache_write_1h_per_mtok_usd": nullable(
                "string", "Of what its cache keeps for an hour; null as before."
            ),
            "image_input_per_mtok_usd": nullable("string", "Of images in the prompt; null as before."),
            "audio_input_per_mtok_usd": nullable(
                "string", "Of sound in the prompt; null where nobody knows it."
            ),
            "audio_output_per_mtok_usd": nullable(
                "string", "Of sound in the answer; null where nobody knows it."
            ),
        },
    ),
    "Lifecycle": record(
        "When a model ends.",
        {
            "retired": flag("Whether its provider has switched it off."),
            "retired_on": nullable("string", "The day of that, past or to come; null where none is known."),
            "replaced_by": nullable("string", "The model to use in its place; null where none is known."),
        },
    ),
}
