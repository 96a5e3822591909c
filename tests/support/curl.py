"""As much of curl as the pages use, for machines that have none: `-s`, `-N`, `-X`, `-H` and `-d`."""

import sys
import urllib.error
import urllib.request


def main(arguments: list[str]) -> int:
    """Prints the body of the answer as it comes, whatever its status, as curl does."""
    headers: dict[str, str] = {}
    data: bytes | None = None
    url = ""
    method: str | None = None
    rest = iter(arguments)
    for argument in rest:
        if argument == "-H":
            name, _, value = next(rest).partition(":")
            headers[name] = value.strip()
        elif argument == "-X":
            method = next(rest)
        elif argument == "-d":
            data = next(rest).encode()
        elif not argument.startswith("-"):
            url = argument
    request = urllib.request.Request(url, data, headers, method=method)  # noqa: S310 - the pages' own URLs
    try:
        with urllib.request.urlopen(request) as answer:  # noqa: S310 - as above
            while block := answer.read1(65536):
                sys.stdout.buffer.write(block)
                sys.stdout.buffer.flush()
    except urllib.error.HTTPError as refused:
        sys.stdout.buffer.write(refused.read())
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
