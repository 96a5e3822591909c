"""What budgets have spent, and what is reserved of them."""

revision = "0007"
down_revision = "0006"
locks = ()
"""Tables whose rows are all read while nobody else can use them."""


def upgrade() -> None:
    pass


def downgrade() -> None:
    pass
