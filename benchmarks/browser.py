"""A headless Chromium, driven by its own protocol through a pipe; nothing else is needed."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["Browser", "find_chromium"]

_FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    *("--disable-extensions", "--hide-scrollbars", "--force-color-profile=srgb"),
    "--remote-debugging-pipe",
)
_KEYS = {"Enter": (13, "\r"), "Tab": (9, ""), "Escape": (27, ""), "ArrowDown": (40, "")}
_CALM_S = 0.3


def find_chromium() -> str | None:
    """Return the path of an installed Chromium or Chrome; None where there is none."""
    names = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
    return next((path for name in names if (path := shutil.which(name))), None)


class Browser:
    """One page of a Chromium, for photographs and tests.

    Attributes:
        requests: addresses that the page asked for since it was opened, its own first.
        complaints: errors and warnings of its console, uncaught exceptions among them.
    """

    def __init__(self) -> None:
        path = find_chromium()
        if path is None:
            raise FileNotFoundError("no chromium on the path")
        self.requests: list[str] = []
        self.complaints: list[str] = []
        self._folder = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        self._last, self._rest = 0, b""
        self._process, self._out, self._in = _start(path, self._folder.name)
        target = self._call("Target.createTarget", {"url": "about:blank"}, session=None)
        attach = {"targetId": target["targetId"], "flatten": True}
        self._session: str = self._call("Target.attachToTarget", attach, session=None)["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log"):
            self._call(f"{domain}.enable")

    def __enter__(self) -> Browser:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the browser and remove its profile."""
        os.close(self._in)
        os.close(self._out)
        self._process.kill()
        self._process.wait()
        self._folder.cleanup()

    def look(self, width: int, height: int, *, media: str = "", scheme: str = "light") -> None:
        """Set the window's size, and `media="print"` or `scheme="dark"`."""
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
        self._call("Emulation.setDeviceMetricsOverride", size)
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self._call("Emulation.setEmulatedMedia", {"media": media, "features": features})

    def open(self, path: Path) -> None:
        """Open a file and wait until it is loaded."""
        self.requests.clear()
        self.complaints.clear()
        self._loaded = False
        self._call("Page.navigate", {"url": path.resolve().as_uri()})
        while not self._loaded:
            self._note(self._receive())

    def run(self, script: str) -> Any:
        """Evaluate JavaScript and return its value, whatever the page's policy."""
        told = {"expression": script, "returnByValue": True, "awaitPromise": True}
        answer = self._call("Runtime.evaluate", told)
        if "exceptionDetails" in answer:
            raise RuntimeError(answer["exceptionDetails"]["exception"].get("description"))
        return answer["result"].get("value")

    def press(self, key: str) -> None:
        """Press a key: a name such as Tab, or a character to type."""
        code, text = _KEYS.get(key, (0, key))
        told: dict[str, Any] = {"key": key, "windowsVirtualKeyCode": code}
        if text:
            told["text"] = text
        self._call("Input.dispatchKeyEvent", {"type": "keyDown", **told})
        self._call("Input.dispatchKeyEvent", {"type": "keyUp", **told})

    def shoot(self, path: Path, clip: Mapping[str, float] | None = None) -> Path:
        """Photograph the window, or a part of the page: x, y, width and height."""
        told: dict[str, Any] = {"format": "png"}
        if clip is not None:
            told.update(clip={**clip, "scale": 1}, captureBeyondViewport=True)
        path.write_bytes(base64.b64decode(self._call("Page.captureScreenshot", told)["data"]))
        return path

    def read_pixels(self, path: Path) -> npt.NDArray[np.uint8]:
        """Read a PNG image: (height, width, 3) red, green and blue."""
        source = base64.b64encode(path.read_bytes()).decode()
        width, height, data = self.run(
            f"""new Promise((done) => {{ const image = new Image();
            image.onload = () => {{ const canvas = document.createElement("canvas");
              const [w, h] = [canvas.width, canvas.height] = [image.width, image.height];
              const context = canvas.getContext("2d");
              context.drawImage(image, 0, 0);
              const data = context.getImageData(0, 0, w, h).data;
              let text = "";
              for (let i = 0; i < data.length; i += 32768)
                text += String.fromCharCode(...data.subarray(i, i + 32768));
              done([w, h, btoa(text)]); }};
            image.src = "data:image/png;base64,{source}"; }})"""
        )
        flat = np.frombuffer(base64.b64decode(data), np.uint8)
        return flat.reshape(height, width, 4)[:, :, :3]

    def print(self, path: Path) -> Path:
        """Print the page as a PDF file."""
        told = {"preferCSSPageSize": True, "printBackground": False}
        path.write_bytes(base64.b64decode(self._call("Page.printToPDF", told)["data"]))
        return path

    def _call(
        self, method: str, params: Mapping[str, Any] | None = None, *, session: str | None = ""
    ) -> dict[str, Any]:
        self._last += 1
        call: dict[str, Any] = {"id": self._last, "method": method, "params": dict(params or {})}
        if session is not None:
            call["sessionId"] = self._session
        os.write(self._out, json.dumps(call).encode() + b"\0")
        while True:
            told = self._receive()
            if told.get("id") == self._last:
                if "error" in told:
                    raise RuntimeError(f"{method}: {told['error']['message']}")
                result: dict[str, Any] = told["result"]
                return result
            self._note(told)

    def _receive(self) -> dict[str, Any]:
        while b"\0" not in self._rest:
            read = os.read(self._in, 1 << 20)
            if not read:
                raise RuntimeError("the browser has ended")
            self._rest += read
        text, _, self._rest = self._rest.partition(b"\0")
        told: dict[str, Any] = json.loads(text)
        return told

    def _note(self, told: Mapping[str, Any]) -> None:
        method, params = told.get("method"), told.get("params", {})
        if method == "Page.loadEventFired":
            self._loaded = True
        elif method == "Network.requestWillBeSent":
            self.requests.append(params["request"]["url"])
        elif method == "Runtime.exceptionThrown":
            self.complaints.append(params["exceptionDetails"]["text"])
        elif method == "Log.entryAdded" and params["entry"]["level"] in {"error", "warning"}:
            self.complaints.append(params["entry"]["text"])
        elif method == "Runtime.consoleAPICalled" and params["type"] in {"error", "warning"}:
            self.complaints.append(str(params["args"]))


def _start(path: str, folder: str) -> tuple[subprocess.Popen[bytes], int, int]:
    """Start the browser, which reads its orders on descriptor 3 and answers on 4."""
    theirs_in, ours_out = os.pipe()
    ours_in, theirs_out = os.pipe()
    words = [path, *_FLAGS, f"--user-data-dir={folder}", "about:blank"]
    shell = f'exec "$@" 3<&{theirs_in} 4>&{theirs_out}'
    process = subprocess.Popen(
        ["bash", "-c", shell, "bash", *words],
        pass_fds=(theirs_in, theirs_out),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    os.close(theirs_in)
    os.close(theirs_out)
    return process, ours_out, ours_in
