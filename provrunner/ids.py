"""Names that stay the same wherever and whenever they are computed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

__all__ = ["canonical_json", "digest", "file_digest", "qualified_id", "run_id", "trial_id"]

_BLOCK_BYTES = 1 << 20
_encode = json.JSONEncoder(
    sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=str
).encode  # `json.dumps` makes a new encoder for each value


def canonical_json(value: object) -> str:
    """Write a JSON value in one way only: keys sorted, no spaces, NaN and Inf as in Python.

    Example:
        >>> canonical_json({"b": 1, "a": [1.5, None]})
        '{"a":[1.5,null],"b":1}'
        >>> canonical_json({"other": 1, 0: 2})
        '{"0":2,"other":1}'
    """
    try:
        return _encode(value)
    except TypeError:  # keys of several types, as YAML has them, cannot be sorted
        return _encode(_with_text_keys(value))


def _with_text_keys(value: object) -> object:
    if isinstance(value, Mapping):
        return {_text_key(key): _with_text_keys(item) for key, item in value.items()}
    return [_with_text_keys(item) for item in value] if isinstance(value, list | tuple) else value


def _text_key(key: object) -> str:
    return key if isinstance(key, str) else json.dumps(key)


def digest(data: bytes | str) -> str:
    """Return the SHA-256 of bytes, or of a text's UTF-8 bytes, in hex."""
    raw = data.encode("utf-8", "surrogatepass") if isinstance(data, str) else data
    return hashlib.sha256(raw).hexdigest()


def file_digest(path: Path) -> str:
    """Return the SHA-256 of a file's bytes in hex, read in blocks of 1 MiB."""
    total = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK_BYTES):
            total.update(block)
    return total.hexdigest()


def folder_digest(path: Path) -> str:
    """Return the SHA-256, in hex, of the paths and digests of all files below a folder."""
    files = (file for file in path.rglob("*") if file.is_file())
    parts = {file.relative_to(path).as_posix(): file_digest(file) for file in files}
    return digest(canonical_json(parts))


def trial_id(values: Mapping[str, object]) -> str:
    """Return the eight hex digits that name an assignment of hyperparameters.

    Example:
        >>> trial_id({"lr": 0.1, "width": 16}) == trial_id({"width": 16, "lr": 0.1})
        True
    """
    return digest(canonical_json(dict(values)))[:8]


def run_id(number: int, values: Mapping[str, object], seed: int) -> str:
    """Return a run's id: its number in the plan and the hash of its trial and seed.

    Example:
        >>> run_id(3, {"lr": 0.1}, seed=0)
        '0003-f5811167'
    """
    return f"{number:04d}-{digest(canonical_json([dict(values), seed]))[:8]}"


def qualified_id(kind: str, *parts: object) -> str:
    """Return a PROV local name: a kind and the first 16 hex digits of its parts' SHA-256.

    It starts with a letter and holds only letters, digits, `.`, `_` and `-`, so that it is a legal
    NCName and needs no escape in any PROV serialisation.

    Example:
        >>> qualified_id("run", "sweep", 3)
        'run-f24f00c52bd2f248'
    """
    return f"{kind}-{digest(canonical_json([str(part) for part in parts]))[:16]}"
