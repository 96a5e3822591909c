"""As much of curl as the README uses, for machines that have none: `-s`, `-N`, `-H` and `-d`."""

import sys
import urllib.error
import urllib.request


def main(arguments: list[str]) -> int:
    """Prints the body of the answer, whatever its status, as curl does."""
    headers: dict[str, str] = {}
    data: bytes | None = None
    url = ""
    rest = iter(arguments)
    for argument in rest:
        if argument == "-H":
            name, _, value = next(rest).partition(":")
            headers[name] = value.strip()
        elif argument == "-d":
            data = next(rest).encode()
        elif not argument.startswith("-"):
            url = argument
    try:
        with urllib.request.urlopen(urllib.request.Request(url, data, headers)) as answer:  # noqa: S310 - the README's own URLs
            sys.stdout.buffer.write(answer.read())
    except urllib.error.HTTPError as refused:
        sys.stdout.buffer.write(refused.read())
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
