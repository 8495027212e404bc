"""What a warm process has imported before the first run needs it."""

from __future__ import annotations

import contextlib
import gc
import warnings

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    # Importing only: no thread is started and no device touched, so that a fork of this process
    # is as good as a fresh one. What is missing here is missed, and reported, by the run itself.
    for _name in ("provrunner.run.runner", "sklearn.datasets", "pandas"):
        with contextlib.suppress(ImportError):
            __import__(_name)

# A fork that collects garbage would otherwise walk through, and copy, all that was imported here.
gc.freeze()
