"""What left the usual."""

revision = "0009"
down_revision = "0008"
locks = ()
"""Tables whose rows are all read while nobody else can use them."""


def upgrade() -> None:
    pass


def downgrade() -> None:
    pass
