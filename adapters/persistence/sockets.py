"""What the drivers do not tell or do about a connection's socket."""

import os
import select
import socket


def was_spoken_to(file_descriptor: int) -> bool:
    """True where something waits to be read, or the socket is closed.

    A database says nothing on an idle connection but that it ends it. Costs a system call, about a microsecond.
    """
    if file_descriptor < 0:
        return True
    poll = select.poll()
    poll.register(file_descriptor, select.POLLIN)
    return bool(poll.poll(0))


def hang_up(file_descriptor: int) -> None:
    """Ends the connection at once: whoever waits for its answer reads its end. The socket stays its owner's."""
    if file_descriptor < 0:
        return
    try:
        with socket.socket(fileno=os.dup(file_descriptor)) as connection:
            connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass  # it has ended already
