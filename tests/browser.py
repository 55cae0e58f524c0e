"""A headless Chromium, driven over the two pipes of its DevTools protocol: no port, no library."""

from __future__ import annotations

import base64
import json
import os
import select
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

PROGRAM = shutil.which("chromium")
_PATIENCE = 60  # seconds for an answer, on a machine that has other work
_FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--remote-debugging-pipe",
)
_WATCHED = ("Runtime.consoleAPICalled", "Runtime.exceptionThrown", "Log.entryAdded")


class Browser:
    """One page of a running Chromium.

    Attributes:
        complaints: What was written to the console, thrown or blocked, since the page was opened.
        requests: The addresses that it asked for, data URIs left out.
    """

    def __init__(self, commands: int, answers: int) -> None:
        """Open an empty page.

        Args:
            commands: File descriptor to write to.
            answers: File descriptor to read from.
        """
        self._commands, self._answers = commands, answers
        self._rest, self._number = b"", 0
        self._session: str | None = None
        self.complaints: list[str] = []
        self.requests: list[str] = []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        found = self.call("Target.attachToTarget", targetId=target, flatten=True)
        self._session = found["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Send a command and return its answer; events on the way are kept."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._commands, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._next()
            if answer.get("id") == self._number:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']}")
                result: dict[str, Any] = answer["result"]
                return result

    def _next(self) -> dict[str, Any]:
        while b"\0" not in self._rest:
            if not select.select([self._answers], [], [], _PATIENCE)[0]:
                raise TimeoutError("Chromium does not answer.")
            piece = os.read(self._answers, 1 << 16)
            if not piece:
                raise EOFError("Chromium has ended.")
            self._rest += piece
        text, _, self._rest = self._rest.partition(b"\0")
        message: dict[str, Any] = json.loads(text)
        self._keep(message)
        return message

    def _keep(self, message: dict[str, Any]) -> None:
        if message.get("method") in _WATCHED:
            self.complaints.append(json.dumps(message["params"]))
        if message.get("method") == "Network.requestWillBeSent":
            address = message["params"]["request"]["url"]
            if not address.startswith("data:"):
                self.requests.append(address)

    def open(self, path: Path, fragment: str = "") -> None:
        """Open a file and wait until it is loaded."""
        self.call("Page.navigate", url="about:blank")
        self.complaints, self.requests = [], []
        self.call("Page.navigate", url=path.resolve().as_uri() + fragment)
        while self.run("document.readyState") != "complete":
            pass

    def run(self, script: str) -> Any:
        """Evaluate an expression and return its value, awaited, which must be JSON."""
        found = self.call(
            "Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True
        )
        if "exceptionDetails" in found:
            raise RuntimeError(json.dumps(found["exceptionDetails"]))
        return found["result"].get("value")

    def press(self, key: str, code: int, text: str = "") -> None:
        """Press and release a key of the keyboard, wherever the focus is.

        Args:
            key: Its name as in KeyboardEvent.key.
            code: Its Windows virtual key code.
            text: What it types.
        """
        event = {"key": key, "code": key, "windowsVirtualKeyCode": code}
        self.call("Input.dispatchKeyEvent", type="keyDown", text=text, **event)
        self.call("Input.dispatchKeyEvent", type="keyUp", **event)

    def look(self, width: int, height: int, scheme: str = "light") -> None:
        """Set the size of the window and the preferred colour scheme."""
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=False,
        )
        feature = {"name": "prefers-color-scheme", "value": scheme}
        self.call("Emulation.setEmulatedMedia", features=[feature])

    def screenshot(self) -> bytes:
        """Return what is to be seen, as PNG."""
        return base64.b64decode(self.call("Page.captureScreenshot", format="png")["data"])


@contextmanager
def chromium(profile: Path) -> Iterator[Browser]:
    """Start Chromium with an empty profile and end it afterwards."""
    from_us, to_us = os.pipe(), os.pipe()
    # Chromium reads commands from descriptor 3 and answers on 4. /usr/bin/chromium is a script
    # of the shell, which passes them on.
    line = f'exec "$0" "$@" 3<&{from_us[0]} 4>&{to_us[1]}'
    process = subprocess.Popen(
        ["bash", "-c", line, str(PROGRAM), *_FLAGS, f"--user-data-dir={profile}"],
        pass_fds=(from_us[0], to_us[1]),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    os.close(from_us[0])
    os.close(to_us[1])
    try:
        browser = Browser(from_us[1], to_us[0])
        yield browser
        browser._session = None
        with suppress(EOFError):
            browser.call("Browser.close")
    finally:
        os.close(from_us[1])
        os.close(to_us[0])
        try:
            process.wait(timeout=_PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
