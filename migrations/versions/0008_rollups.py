"""What was used, added up by the hour and the day."""

revision = "0008"
down_revision = "0007"
locks = ()
"""Tables whose rows are all read while nobody else can use them."""


def upgrade() -> None:
    pass


def downgrade() -> None:
    pass
