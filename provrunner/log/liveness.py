"""Whether the process that writes a log, or runs a sweep, still lives."""

from __future__ import annotations

import json
import os
import socket
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from provrunner.errors import LogError

__all__ = [
    "Owner",
    "Takeover",
    "is_alive",
    "is_claimed",
    "own_sweep",
    "read_owner",
    "runs_here",
    "this_process",
    "write_owner",
]

STALE_S = 60.0
"""A heartbeat from another machine that is older than this is taken for a death."""

_OWNER_FILE = "owner.json"
_CLAIMS = "owner.*.claim"
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


@dataclass(frozen=True, slots=True)
class Owner:
    """What tells one process from every other, on this machine and elsewhere."""

    host: str = ""
    boot_id: str = ""
    pid_namespace: str = ""
    pid: str = ""
    process_start: str = ""

    def to_metadata(self) -> dict[str, str]:
        """Return the fields as schema metadata."""
        return asdict(self)

    @classmethod
    def from_metadata(cls, metadata: Mapping[str, str]) -> Owner:
        """Read the fields back; what is missing is empty."""
        return cls(**{key: metadata.get(key, "") for key in cls.__dataclass_fields__})


def this_process() -> Owner:
    """Describe the calling process; what the system does not tell is empty."""
    pid = os.getpid()
    return Owner(
        host=socket.gethostname(),
        boot_id=_boot_id(),
        pid_namespace=_pid_namespace(),
        pid=str(pid),
        process_start=_process_start(pid),
    )


class Takeover:
    """The claims of dead processes to a sweep, until somebody has been told of them.

    Args:
        claims: who held each.
    """

    def __init__(self, claims: Mapping[Path, Owner]) -> None:
        self._claims = claims

    def tell(self) -> tuple[Owner, ...]:
        """Return the dead processes and remove their claims; what is not known of one is empty."""
        claims, self._claims = self._claims, {}
        for path, holder in claims.items():
            # its number may be a living one's by now
            if _holder(path) == holder:
                path.unlink(missing_ok=True)
        return tuple(claims.values())


@contextmanager
def own_sweep(sweep_folder: Path) -> Iterator[Takeover]:
    """Be the one process that runs a sweep, until the block is left or the process dies.

    A file says so that only one process can make, and that is touched while the process lives;
    beside what a dead one left, the next number is taken.

    Yields:
        What was taken over. Where the block raises before it was told, the next one is to tell.

    Raises:
        LogError: another process runs it, or the folder cannot be written.
    """
    mine, dead = _claim(sweep_folder)
    ended = threading.Event()
    beat = threading.Thread(target=_beat, args=(mine, ended), name="provrunner-claim", daemon=True)
    try:
        # a slower process may have made another one when it saw none that lives
        _refuse(sweep_folder, [path for path in sweep_folder.glob(_CLAIMS) if path != mine])
        beat.start()
        takeover = Takeover(dead)
        yield takeover
        takeover.tell()
    finally:
        ended.set()
        mine.unlink(missing_ok=True)


def is_claimed(sweep_folder: Path) -> bool:
    """Say whether a process runs a sweep, or one that did has left its claim."""
    return any(sweep_folder.glob(_CLAIMS))


def write_owner(sweep_folder: Path) -> None:
    """Name this process as the one that runs a sweep, for who watches it from another."""
    path = sweep_folder / _OWNER_FILE
    temporary = path.with_suffix(".tmp")
    temporary.write_text(json.dumps(this_process().to_metadata()) + "\n", encoding="utf-8")
    temporary.replace(path)


def read_owner(sweep_folder: Path) -> Owner | None:
    """Return the process that runs or ran a sweep; None where nothing tells."""
    return _read_owner(sweep_folder / _OWNER_FILE)


def _read_owner(path: Path) -> Owner | None:
    try:
        fields = json.loads(path.read_text("utf-8"))
        return Owner.from_metadata({str(key): str(value) for key, value in fields.items()})
    except (OSError, ValueError, AttributeError):
        return None


def is_alive(owner: Owner, heartbeat: float | None, *, now: float | None = None) -> bool:
    """Say whether a log's owner lives.

    On the machine and in the process namespace of the owner the process table decides, so that a
    suspended process is never taken for a dead one. Elsewhere the heartbeat decides.

    Args:
        owner: who opened the log.
        heartbeat: time of the last sign of life, in seconds since the epoch; None without one.
        now: the present, on the clock that the heartbeat was taken from.
    """
    here = this_process()
    if owner.pid and (owner.host, owner.pid_namespace) == (here.host, here.pid_namespace):
        return owner.boot_id == here.boot_id and _runs(owner)
    if heartbeat is None:
        return False
    return (time.time() if now is None else now) - heartbeat < STALE_S


def _claim(sweep_folder: Path) -> tuple[Path, dict[Path, Owner]]:
    while True:
        dead = _refuse(sweep_folder, list(sweep_folder.glob(_CLAIMS)))
        number = max((int(path.name.split(".")[1]) + 1 for path in dead), default=0)
        mine = sweep_folder / f"owner.{number}.claim"
        try:
            with mine.open("x", encoding="utf-8") as file:
                json.dump(this_process().to_metadata(), file)
        except FileExistsError:
            continue
        except OSError as error:
            raise LogError(f"cannot write {mine}: {error.strerror or error}") from error
        return mine, dead


def _refuse(sweep_folder: Path, claims: Sequence[Path]) -> dict[Path, Owner]:
    """Return who held each of the claims; raise where one is that of a living process."""
    holders = {path: _holder(path) for path in claims}
    for path, holder in holders.items():
        # one that was made a moment ago may still be empty: its age decides
        if is_alive(holder, _touched(path)):
            who = f"process {holder.pid} on {holder.host}" if holder.pid else "another process"
            raise LogError(f"{sweep_folder} is being run by {who}; {path.name} says so")
    return holders


def _holder(claim: Path) -> Owner:
    return _read_owner(claim) or Owner()


def _beat(claim: Path, ended: threading.Event) -> None:
    """Touch a claim until its block is left: to other machines that is all that tells of it."""
    while not ended.wait(STALE_S / 4):
        with suppress(OSError):
            os.utime(claim)


def _touched(path: Path) -> float | None:
    try:
        return path.stat().st_mtime
    except OSError:
        return None


def runs_here(pid: str) -> bool:
    """Say whether a process of this number runs on this machine, whoever it is."""
    try:
        os.kill(int(pid), 0)
    except (ValueError, ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        pass
    return _process_start(int(pid)) != "dead"


def _runs(owner: Owner) -> bool:
    if not owner.pid.isdigit() or not runs_here(owner.pid):
        return False
    start = _process_start(int(owner.pid))
    return not owner.process_start or start == owner.process_start


def _boot_id() -> str:
    try:
        return _BOOT_ID.read_text(encoding="ascii").strip()
    except OSError:
        return ""


def _pid_namespace() -> str:
    try:
        return str(Path("/proc/self/ns/pid").readlink())
    except OSError:
        return ""


def _process_start(pid: int) -> str:
    """Return the start time of a process in clock ticks since boot; `dead` for a zombie."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        return ""
    fields = stat.rpartition(b")")[2].split()
    return "dead" if fields[0] in (b"Z", b"X") else fields[19].decode()
