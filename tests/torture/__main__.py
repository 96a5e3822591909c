"""`python -m tests.torture`: kills servers and their database under load, then holds the books against each other.

Exits 1 where a promise was broken, and prints where; 0 otherwise. The report as JSON goes to a file.
"""

import argparse
import asyncio
import json
import random
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tests.torture.replicas import ROOT
from tests.torture.run import Plan, torture
from tests.torture.saboteur import FAULTS


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.torture",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--requests", type=int, default=10_000, help="at least so many (default 10,000)")
    parser.add_argument("--kills", type=int, default=200, help="SIGKILLs of replicas (default 200)")
    parser.add_argument("--restarts", type=int, default=20, help="of PostgreSQL, immediate (default 20)")
    parser.add_argument("--seed", type=int, help="of what is drawn by chance; timing is the machine's")
    parser.add_argument("--replicas", type=int, default=2)
    parser.add_argument("--clients", type=int, default=48)
    parser.add_argument(
        "--keyed", type=float, default=0.6, help="share with an Idempotency-Key (default 0.6)"
    )
    parser.add_argument(
        "--no-redis", action="store_true", help="replicas that share nothing but the database"
    )
    parser.add_argument(
        "--sabotage",
        action="append",
        default=[],
        choices=sorted(FAULTS),
        help="build in a fault, which must be found; may be repeated",
    )
    parser.add_argument("--out", type=Path, default=ROOT / "bench" / "out" / "torture.json")
    parser.add_argument("--logs", type=Path, help="a folder that keeps the replicas' logs")
    options = parser.parse_args(arguments)
    seed = random.SystemRandom().randrange(2**32) if options.seed is None else options.seed
    plan = Plan(
        requests=options.requests,
        kills=options.kills,
        restarts=options.restarts,
        seed=seed,
        replicas=options.replicas,
        clients=options.clients,
        keyed=options.keyed,
        redis=not options.no_redis,
        sabotage=tuple(options.sabotage),
    )
    _say(f"seed {seed}")
    with tempfile.TemporaryDirectory(prefix="lor3-torture-") as temporary:
        folder = options.logs or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        report = asyncio.run(torture(plan, folder, say=_say))
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(report.as_json(), indent=2) + "\n")
    sys.stdout.write(f"{report}\nwritten to {options.out}\n")
    return 0 if report.passed else 1


def _say(line: str) -> None:
    sys.stderr.write(f"  {line}\n")
    sys.stderr.flush()


if __name__ == "__main__":
    sys.exit(main())
