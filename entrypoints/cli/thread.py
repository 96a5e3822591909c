"""`lor3 thread`: conversations as they are stored."""

from entrypoints.cli.main import LazyGroup

thread = LazyGroup(
    name="thread",
    help="""Look at conversations, and keep them in order.

`lor3 run` says which thread it wrote to. A thread can be named by the beginning of its id, 8 characters or
more, as long as no other one begins like it; a message by its whole id, which `lor3 thread show --json` has.

\b
Examples:
  lor3 thread list
  lor3 thread show 01890a5d-ac96
  lor3 run --thread 01890a5d-ac96 "And in winter?"
  lor3 thread export 01890a5d-ac96 --output talk.md
""",
    lazy={
        "list": ("entrypoints.cli.thread_list:list_threads", "List threads, newest first."),
        "show": ("entrypoints.cli.thread_show:show", "Show a conversation."),
        "export": ("entrypoints.cli.thread_export:export", "Write a conversation to a file."),
        "rename": ("entrypoints.cli.thread_rename:rename", "Give a thread a title and tags."),
        "fork": ("entrypoints.cli.thread_fork:fork", "Begin a new thread as a copy, up to a message."),
        "regenerate": (
            "entrypoints.cli.thread_regenerate:regenerate",
            "Have the last answer made once more.",
        ),
        "memory": ("entrypoints.cli.thread_memory:memory", "Show what the next chat will remember."),
        "pin": ("entrypoints.cli.thread_pin:pin", "Keep a message in the memory whatever its age."),
        "unpin": ("entrypoints.cli.thread_pin:unpin", "Let a pinned message age again."),
        "delete": ("entrypoints.cli.thread_delete:delete", "Delete threads."),
    },
)
