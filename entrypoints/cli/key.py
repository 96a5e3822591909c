"""`lor3 key`: who may call."""

from entrypoints.cli.main import LazyGroup

key = LazyGroup(
    name="key",
    help="""Make, list, rotate and revoke API keys.

From the first key on every request needs one, and a running server knows of it within a second. Keys are stored
hashed: what `create` and `rotate` print is not shown again.

\b
Examples:
  lor3 key create --name web --tenant acme --scopes chat,feedback --budget 50/day --rpm 600
  lor3 key list
  lor3 key rotate web --tenant acme --overlap 24h
  lor3 key revoke web --tenant acme
""",
    lazy={
        "create": ("entrypoints.cli.key_create:create", "Make a key, and print it once."),
        "list": ("entrypoints.cli.key_list:list_keys", "List keys."),
        "show": ("entrypoints.cli.key_show:show", "Show what a key may do."),
        "rotate": ("entrypoints.cli.key_rotate:rotate", "Replace a key by another that may do the same."),
        "revoke": ("entrypoints.cli.key_revoke:revoke", "Let nobody in by a key any more."),
    },
)
