"""What the commands import, so that it is there before a process is forked for one."""

import aiosqlite
import alembic.command
import alembic.config
import alembic.runtime.environment
import alembic.script
import psycopg
import yaml

import adapters.formatters.json
import adapters.formatters.markdown
import adapters.persistence.store
import adapters.prices.genai_price_book
import adapters.prompts.files
import adapters.providers.demo.provider
import adapters.providers.openai.provider
import adapters.telemetry.prometheus
import adapters.tokens.tiktoken_meter
import entrypoints.bootstrap
import entrypoints.cli.ask
import entrypoints.cli.db
import entrypoints.cli.explanation
import entrypoints.cli.own_words
import entrypoints.cli.prompt
import entrypoints.cli.prompt_edit
import entrypoints.cli.run
import entrypoints.cli.sending
import entrypoints.configuration.load
import entrypoints.container
import entrypoints.memory_rendering
import entrypoints.prompt_reloader

__all__ = ["adapters", "aiosqlite", "alembic", "entrypoints", "psycopg", "yaml"]
