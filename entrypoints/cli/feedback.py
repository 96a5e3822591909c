"""`lor3 feedback`: what people thought of answers."""

from entrypoints.cli.main import LazyGroup

feedback = LazyGroup(
    name="feedback",
    help="""Rate answers, and take the ratings out.

\b
Examples:
  lor3 feedback rate 01890a5d-ac96-774b-bcce-b302099a8057 --rating thumbs_up
  lor3 feedback show 01890a5d-ac96
  lor3 feedback export --since 30d --min-rating 4 --output good.jsonl
""",
    lazy={
        "rate": ("entrypoints.cli.feedback_rate:rate", "Rate an answer."),
        "show": ("entrypoints.cli.feedback_show:show", "Show the ratings of a thread."),
        "history": ("entrypoints.cli.feedback_history:history", "Show how an answer was rated over time."),
        "retract": ("entrypoints.cli.feedback_rate:retract", "Take a rating back."),
        "export": ("entrypoints.cli.feedback_export:export", "Write rated answers as JSONL."),
    },
)
