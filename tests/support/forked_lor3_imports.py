"""What the commands import, so that it is there before a process is forked for one."""

import gc

import aiosqlite
import alembic.command
import alembic.config
import alembic.runtime.environment
import alembic.script
import psycopg
import yaml

import adapters.formatters.json
import adapters.formatters.markdown
import adapters.persistence.conversation_rows
import adapters.persistence.sqlite_budget_ledger
import adapters.persistence.sqlite_conversation_reader
import adapters.persistence.sqlite_counters
import adapters.persistence.sqlite_writer
import adapters.persistence.store
import adapters.persistence.trial
import adapters.persistence.usage_sums
import adapters.prices.genai_price_book
import adapters.prompts.files
import adapters.providers.demo.provider
import adapters.providers.openai.provider
import adapters.telemetry.prometheus
import adapters.tokens.tiktoken_meter
import application.ports.prompt_texts
import domain.limits.holding
import domain.output.raw
import domain.output.strict_schema
import domain.passes.format_enforcement
import domain.passes.model_limits
import domain.passes.system_prompt
import entrypoints.application
import entrypoints.bootstrap
import entrypoints.cli.ask
import entrypoints.cli.config
import entrypoints.cli.conversation
import entrypoints.cli.db
import entrypoints.cli.explanation
import entrypoints.cli.misuse
import entrypoints.cli.on_threads
import entrypoints.cli.own_words
import entrypoints.cli.prompt
import entrypoints.cli.prompt_edit
import entrypoints.cli.run
import entrypoints.cli.sending
import entrypoints.cli.streams
import entrypoints.cli.thread
import entrypoints.cli.thread_list
import entrypoints.configuration.load
import entrypoints.configuration.view
import entrypoints.container
import entrypoints.http.codec
import entrypoints.lineage
import entrypoints.log_file
import entrypoints.loop_lag
import entrypoints.memory_rendering
import entrypoints.prompt_reloader
import entrypoints.reading
import entrypoints.reload
import entrypoints.reload_refusals
import entrypoints.succession

__all__ = [
    "adapters",
    "aiosqlite",
    "alembic",
    "application",
    "domain",
    "entrypoints",
    "psycopg",
    "yaml",
]

# Whoever is forked neither walks nor copies what never goes away.
gc.collect()
gc.freeze()
