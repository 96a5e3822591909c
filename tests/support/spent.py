"""What a piece of work costs the processor. Whatever else runs on the machine does not count; its speed does, a little."""

import time
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def cpu_below(limit_s: float) -> Iterator[None]:
    """What is inside takes less of the processor, in this thread, than that.

    Args:
        limit_s: at least five times what it takes on a slow machine, and far less than with the fault that is looked for.

    Raises:
        AssertionError: it took more.
    """
    started_s = time.thread_time()
    yield
    spent_s = time.thread_time() - started_s
    assert spent_s < limit_s, f"it took {spent_s:.1f} s of the processor"
