"""Prompts: their heads, versions, pins, and the history of their labels.

Takes the place of `prompt_versions` of 0001, which nothing ever wrote to. Its versions were texts, so that v10
came before v9.

The types are written out here, not imported: a revision must not change when the code does.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"

_JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
_TIME = sa.DateTime(timezone=True).with_variant(sa.String(32), "sqlite")
_NAME = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    op.drop_table("prompt_versions")
    op.create_table(
        "prompts",
        sa.Column("tenant", sa.Text, nullable=False),
        sa.Column("name", _NAME, nullable=False),
        sa.Column("latest", sa.BigInteger, nullable=False),
        sa.Column("next_number", sa.BigInteger, nullable=False),
        sa.Column("revision", sa.BigInteger, nullable=False),
        sa.Column("labels", _JSON, nullable=False),
        sa.Column("file", _JSON),
        sa.Column("assistant", _JSON),
        sa.Column("created_at", _TIME, nullable=False),
        sa.Column("updated_at", _TIME, nullable=False),
        sa.PrimaryKeyConstraint("tenant", "name", name="pk_prompts"),
    )
    op.create_table(
        "prompt_versions",
        sa.Column("tenant", sa.Text, nullable=False),
        sa.Column("name", _NAME, nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("hash", sa.Text, nullable=False),
        sa.Column("template", sa.Text, nullable=False),
        sa.Column("declares", sa.Boolean, nullable=False),
        sa.Column("pins", _JSON, nullable=False),
        sa.Column("made_by", sa.Text, nullable=False),
        sa.Column("author", sa.Text),
        sa.Column("message", sa.Text),
        sa.Column("created_at", _TIME, nullable=False),
        sa.Column("used_at", _TIME),
        sa.PrimaryKeyConstraint("tenant", "name", "number", name="pk_prompt_versions"),
    )
    op.create_table(
        "prompt_pins",
        sa.Column("tenant", sa.Text, nullable=False),
        sa.Column("pinned_name", _NAME, nullable=False),
        sa.Column("pinned_number", sa.Integer, nullable=False),
        sa.Column("name", _NAME, nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint(
            "tenant", "pinned_name", "pinned_number", "name", "number", name="pk_prompt_pins"
        ),
        sa.ForeignKeyConstraint(
            ["tenant", "name", "number"],
            ["prompt_versions.tenant", "prompt_versions.name", "prompt_versions.number"],
            name="fk_prompt_pins_prompt_versions",
            ondelete="CASCADE",
        ),
    )
    op.create_index("ix_prompt_pins_name_number_tenant", "prompt_pins", ["name", "number", "tenant"])
    op.create_table(
        "prompt_label_moves",
        sa.Column("tenant", sa.Text, nullable=False),
        sa.Column("name", _NAME, nullable=False),
        sa.Column("label", sa.Text, nullable=False),
        sa.Column("position", sa.BigInteger, nullable=False),
        sa.Column("weights", _JSON, nullable=False),
        sa.Column("author", sa.Text),
        sa.Column("message", sa.Text),
        sa.Column("moved_at", _TIME, nullable=False),
        sa.PrimaryKeyConstraint("tenant", "name", "label", "position", name="pk_prompt_label_moves"),
    )


def downgrade() -> None:
    for table in ("prompt_label_moves", "prompt_pins", "prompt_versions", "prompts"):
        op.drop_table(table)
    op.create_table(
        "prompt_versions",
        sa.Column("tenant", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("version", sa.Text, nullable=False),
        sa.Column("hash", sa.Text, nullable=False),
        sa.Column("template", _JSON, nullable=False),
        sa.Column("author", sa.Text),
        sa.Column("note", sa.Text),
        sa.Column("created_at", _TIME, nullable=False),
        sa.PrimaryKeyConstraint("tenant", "name", "version", name="pk_prompt_versions"),
    )
