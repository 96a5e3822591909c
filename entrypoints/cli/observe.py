"""`lor3 observe`: what was used, and how well it did."""

from entrypoints.cli.main import LazyGroup

observe = LazyGroup(
    name="observe",
    help="""See what was used, what it cost, and what people thought of it.

\b
Examples:
  lor3 observe usage
  lor3 observe usage --since 30d --group-by prompt_version
""",
    lazy={
        "usage": ("entrypoints.cli.observe_usage:usage", "Show requests, tokens, costs and ratings."),
    },
)
