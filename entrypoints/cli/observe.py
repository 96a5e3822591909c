"""`lor3 observe`: what was used, and how well it did."""

from entrypoints.cli.main import LazyGroup

observe = LazyGroup(
    name="observe",
    help="""See what was used, what it cost, and what people thought of it.

\b
Examples:
  lor3 observe usage
  lor3 observe usage --since 30d --group-by model
  lor3 observe prompts --since 7d
  lor3 observe providers --watch
  lor3 observe errors --json
""",
    lazy={
        "usage": ("entrypoints.cli.observe_usage:usage", "Show requests, tokens, costs and ratings."),
        "prompts": ("entrypoints.cli.observe_prompts:prompts", "Show how each version of a prompt does."),
        "providers": (
            "entrypoints.cli.observe_providers:providers",
            "Show calls to models, and how they end.",
        ),
        "errors": ("entrypoints.cli.observe_errors:errors", "Show what failed, and what was unusual."),
    },
)
