"""The OpenAPI 3.1 document. Bodies come from the attrs types that read them, errors from the one table."""

from importlib.metadata import version
from typing import Final

from domain.json_value import JSONObject, JSONValue
from entrypoints.http.checks import Schemas
from entrypoints.http.openapi_answers import ANSWER_SCHEMAS
from entrypoints.http.openapi_chat import chat_paths
from entrypoints.http.openapi_events import EVENT_SCHEMAS
from entrypoints.http.openapi_feedback import feedback_paths
from entrypoints.http.openapi_feedback_answers import FEEDBACK_SCHEMAS
from entrypoints.http.openapi_memory_answers import MEMORY_SCHEMAS
from entrypoints.http.openapi_openai import OPENAI_RESPONSE, OPENAI_SCHEMAS, openai_paths
from entrypoints.http.openapi_operations import json_answer, operation
from entrypoints.http.openapi_prompt_answers import PROMPT_SCHEMAS
from entrypoints.http.openapi_prompts import prompt_paths
from entrypoints.http.openapi_service import CONFIG_SCHEMAS, EXPLANATION_SCHEMAS
from entrypoints.http.openapi_streams import STREAM_SCHEMAS, stream_paths
from entrypoints.http.openapi_thread_answers import THREAD_SCHEMAS
from entrypoints.http.openapi_threads import thread_paths
from entrypoints.http.openapi_tokens import NEEDED, OPEN, SECURITY_SCHEMES, TOKEN_SCHEMAS, token_paths
from entrypoints.http.openapi_ui import UI_SCHEMAS, ui_paths
from entrypoints.http.problems import CONTENT_TYPE, PROBLEMS
from entrypoints.http.schema_parts import ref

_REQUEST_ID: Final[JSONObject] = {
    "name": "X-Request-ID",
    "in": "header",
    "description": "Echoed on the answer and in the log; made up where it is left out or malformed.",
    "schema": {"type": "string", "pattern": "^[A-Za-z0-9._-]{1,64}$"},
}


def document() -> dict[str, JSONValue]:
    """The whole document. Pure, and the same for every configuration."""
    schemas: Schemas = {}
    paths = {
        **chat_paths(schemas),
        **stream_paths(schemas),
        **ui_paths(schemas),
        **thread_paths(schemas),
        **feedback_paths(schemas),
        **prompt_paths(schemas),
        **openai_paths(schemas),
        **token_paths(schemas),
    }
    for answered in (
        ANSWER_SCHEMAS,
        UI_SCHEMAS,
        THREAD_SCHEMAS,
        MEMORY_SCHEMAS,
        FEEDBACK_SCHEMAS,
        EVENT_SCHEMAS,
        STREAM_SCHEMAS,
        EXPLANATION_SCHEMAS,
        PROMPT_SCHEMAS,
        CONFIG_SCHEMAS,
        OPENAI_SCHEMAS,
        TOKEN_SCHEMAS,
    ):
        schemas.update(answered)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "lor3",
            "version": version("lor3"),
            "summary": "A self-hosted backend-for-frontend that answers through many LLM providers.",
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "servers": [{"url": "/"}],
        "security": NEEDED,
        "paths": {**paths, **_service_paths()},
        "components": {
            "securitySchemes": SECURITY_SCHEMES,
            "schemas": schemas,
            "responses": {"Problem": _problem(), "OpenAIError": OPENAI_RESPONSE},
            "parameters": {"RequestID": _REQUEST_ID},
        },
        "x-problems": [
            {"code": code, "status": kind.status, "title": kind.title} for code, kind in PROBLEMS.items()
        ],
    }


def _service_paths() -> dict[str, JSONValue]:
    return {
        "/config": {
            "get": operation(
                "getConfig",
                "What this lor3 offers",
                "Models, limits, prices, health, defaults: what a UI needs to draw itself. Holds no secret.",
                "service",
                json_answer("The description.", ref("Config")),
            )
        },
        "/healthz": {
            "get": operation(
                "getHealth",
                "Alive",
                "Answers as long as the process does; touches nothing.",
                "operations",
                json_answer("Alive.", ref("Status")),
                security=OPEN,
            )
        },
        "/readyz": {
            "get": operation(
                "getReadiness",
                "Ready",
                "503 `not_ready` where chats can't be stored, 503 `shutting_down` from the signal to stop on.",
                "operations",
                json_answer("Ready to answer chats.", ref("Readiness")),
                security=OPEN,
            )
        },
        "/metrics": {
            "get": operation(
                "getMetrics",
                "Metrics",
                "Prometheus' text exposition. 404 where `telemetry.metrics_port` gives it a port of its own.",
                "operations",
                {"description": "The metrics.", "content": {"text/plain": {"schema": {"type": "string"}}}},
                security=OPEN,
            )
        },
        "/openapi.json": {
            "get": operation(
                "getOpenAPI",
                "This document",
                "OpenAPI 3.1.",
                "service",
                json_answer("The document.", {"type": "object"}),
                security=OPEN,
            )
        },
        "/docs": {
            "get": operation(
                "getDocs",
                "These pages",
                "This document, drawn.",
                "service",
                {"description": "A page.", "content": {"text/html": {"schema": {"type": "string"}}}},
                security=OPEN,
            )
        },
    }


def _problem() -> JSONObject:
    return {
        "description": "A problem object (RFC 9457).",
        "headers": {
            "Retry-After": {
                "description": "Seconds to wait, where waiting helps.",
                "schema": {"type": "integer", "minimum": 1},
            }
        },
        "content": {CONTENT_TYPE: {"schema": ref("Problem")}},
    }
