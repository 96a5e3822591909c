"""`lor3 prompt`: prompts as versioned, labelled, compiled things."""

from entrypoints.cli.main import LazyGroup

prompt = LazyGroup(
    name="prompt",
    help="""Keep, compile and label prompts.

A prompt is named `support_agent` (what the label `production` points to, else the newest version),
`support_agent:v3` or `support_agent@staging`.

\b
Examples:
  lor3 prompt list
  lor3 prompt edit support_agent
  lor3 prompt diff support_agent v2 v3
  lor3 prompt label support_agent production v3
  lor3 run --system support_agent --var name=Ada "Where is my parcel?"
""",
    lazy={
        "list": ("entrypoints.cli.prompt_list:list_prompts", "List prompts, their labels and sources."),
        "show": ("entrypoints.cli.prompt_show:show", "Show one version, its text and where it came from."),
        "edit": ("entrypoints.cli.prompt_edit:edit", "Make a new version in your editor."),
        "diff": ("entrypoints.cli.prompt_diff:diff", "Compare two versions."),
        "render": ("entrypoints.cli.prompt_render:render", "Fill in the variables; ask no model."),
        "label": ("entrypoints.cli.prompt_label:label", "Show and move labels."),
        "sync": ("entrypoints.cli.prompt_sync:sync", "Bring a prompt and its file or assistant in step."),
        "import": ("entrypoints.cli.prompt_import:import_prompt", "Bring a prompt here from another tool."),
        "delete": ("entrypoints.cli.prompt_delete:delete", "Delete a version that nothing needs."),
    },
)
