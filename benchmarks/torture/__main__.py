"""Tortures logs: `python -m benchmarks.torture --kills 100 --cuts 1000 --flips 1000`."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.torture.damage import cut, damage_at_random, flip, make_logs
from benchmarks.torture.kills import kill_at_random


def main() -> int:
    """Do what the command line asks for; 1 where something was wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name, count in (("kills", 100), ("cuts", 1000), ("flips", 1000), ("seed", 0)):
        parser.add_argument(f"--{name}", type=int, default=count)
    args = parser.parse_args()
    wrong: list[str] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        runs = make_logs(folder / "logs") if args.cuts or args.flips else []
        for what, change, count in (("cuts", cut, args.cuts), ("flips", flip, args.flips)):
            started = time.monotonic()
            damaged = damage_at_random(runs, change, count, args.seed) if count else None
            if damaged is not None:
                wrong += damaged.wrong
                print(
                    f"{count} {what}, {time.monotonic() - started:.0f} s, "
                    f"{len(damaged.wrong)} wrong"
                )
                for (file, state), times in sorted(damaged.outcomes.items()):
                    print(f"  {file:22} {state:9} {times}")
        if args.kills:
            started = time.monotonic()
            killed = kill_at_random(folder, args.kills, seed=args.seed)
            wrong += killed.wrong
            print(
                f"{args.kills} kills ({dict(killed.kills)}), {time.monotonic() - started:.0f} s; "
                f"{killed.told} steps and epochs told, {len(killed.wrong)} wrong; "
                f"slowest verdict {killed.slowest_s:.2f} s"
            )
            for (status, state), times in sorted(killed.outcomes.items()):
                print(f"  {status:12} {state:9} {times}")
    print("\n".join(wrong))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
