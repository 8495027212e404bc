"""A run's folder that travels: to a worker that does not see the sweep's folder, and back."""

from __future__ import annotations

import io
import shutil
import tarfile
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

from provrunner.log import run_folder
from provrunner.run.engines.store import Store, sending
from provrunner.run.work import Work, perform

__all__ = [
    "Parcel",
    "Returned",
    "pack_folder",
    "perform_anywhere",
    "replace_folder",
    "unpack_folder",
]

_PLAN = "plan.json"


@dataclass(frozen=True, slots=True)
class Parcel:
    """What a worker needs of a sweep's folder.

    Attributes:
        plan: the bytes of the sweep's `plan.json`.
        run: what earlier attempts left in the run's folder, packed; None where there were none.
        is_shared: whether the worker sees the sweep's folder; None where it is to look.
        store: where the run's folder is sent to; None sends it back with the result.
        name: that it has there.
    """

    plan: bytes
    run: bytes | None
    is_shared: bool | None
    store: Store | None = None
    name: str = ""


@dataclass(frozen=True, slots=True)
class Returned:
    """What a worker gives back.

    Attributes:
        reason: why the job could not run, None where its log tells how it ended.
        run: the run's folder, packed; None where it is in the store, or the worker wrote to the
            sweep's folder itself.
    """

    reason: str | None
    run: bytes | None = None


def perform_anywhere(work: Work, parcel: Parcel) -> Returned:
    """Perform a job in the sweep's folder if this machine sees it, else in one that travels back.

    A folder of the same path with the same plan is taken for the sweep's.
    """
    if parcel.is_shared or (parcel.is_shared is None and _holds(work.sweep, parcel.plan)):
        return Returned(perform(work))
    with tempfile.TemporaryDirectory(prefix="provrunner-") as scratch:
        sweep = Path(scratch) / work.sweep.name
        folder = run_folder(sweep, work.run_id)
        folder.mkdir(parents=True)
        (sweep / _PLAN).write_bytes(parcel.plan)
        if parcel.run is not None:
            unpack_folder(parcel.run, folder)
        if parcel.store is None:
            return Returned(perform(replace(work, sweep=sweep)), pack_folder(folder))
        return _perform_and_send(replace(work, sweep=sweep), folder, parcel.store, parcel.name)


def pack_folder(folder: Path) -> bytes:
    """Pack what lies in a folder; its files are compressed as they are, and packed plainly."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        archive.add(folder, arcname=".")
    return buffer.getvalue()


def unpack_folder(packed: bytes, folder: Path) -> None:
    """Put what was packed into a folder; nothing is written outside of it.

    Raises:
        tarfile.TarError: it would write elsewhere, or is no archive.
        OSError: the folder cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        archive.extractall(folder, filter="data")


def replace_folder(packed: bytes, folder: Path) -> None:
    """Put what was packed in the place of a run's folder, which had travelled with it.

    Raises:
        tarfile.TarError: it would write elsewhere, or is no archive; the folder is as it was.
        OSError: it cannot be written.
    """
    sweep = folder.parent.parent
    arriving, leaving = (sweep / f".{folder.name}.{word}" for word in ("arriving", "leaving"))
    for left in (arriving, leaving):
        shutil.rmtree(left, ignore_errors=True)
    unpack_folder(packed, arriving)
    if folder.exists():
        folder.rename(leaving)
    arriving.rename(folder)
    shutil.rmtree(leaving, ignore_errors=True)


def _perform_and_send(work: Work, folder: Path, store: Store, name: str) -> Returned:
    """Perform a job, sending its folder now and then and at its end."""

    def send() -> None:
        store.put(name, pack_folder(folder))

    with sending(send):
        reason = perform(work)
    try:
        send()
    except Exception:  # noqa: BLE001  whatever the store has against it, it still can be returned
        return Returned(reason, pack_folder(folder))
    return Returned(reason)


def _holds(sweep: Path, plan: bytes) -> bool:
    try:
        return (sweep / _PLAN).read_bytes() == plan
    except OSError:
        return False
