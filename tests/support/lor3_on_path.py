"""A `lor3` for the PATH of shells that call it often: each call is a process forked from one that has imported it.

Run as a program this file is that `lor3`: it hands its arguments, directory, environment and streams to whoever
listens, and ends with the code that it is told. So it imports as little as it can.
"""

import json
import os
import socket
import sys

SOCKET = "TEST_LOR3_SOCKET"
"""The variable that names the listener's socket."""


def main() -> int:
    environ = dict(os.environ)
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(environ.pop(SOCKET))
        socket.send_fds(connection, [b"."], [0, 1, 2])
        connection.sendall(json.dumps([os.getcwd(), sys.argv[1:], environ]).encode())  # noqa: PTH109 - pathlib takes longer to import than all of this
        connection.shutdown(socket.SHUT_WR)
        return int(connection.recv(8))


if __name__ == "__main__":
    sys.exit(main())
