"""Keeps a Python process from the network; Python imports it by itself when it starts."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

_LOCAL = ("127.0.0.1", "::1", "localhost")


def _guarded(real: Callable[..., Any]) -> Callable[..., Any]:
    def guarded(self: socket.socket, address: Any) -> Any:
        if self.family != socket.AF_UNIX and address[0] not in _LOCAL:
            raise ConnectionRefusedError(f"Tests must not use the network: {address}")
        return real(self, address)

    return guarded


def _guarded_lookup(real: Callable[..., Any]) -> Callable[..., Any]:
    def guarded(host: Any, *args: Any, **kwargs: Any) -> Any:
        if host not in (None, *_LOCAL):
            raise socket.gaierror(socket.EAI_NONAME, f"Tests must not use the network: {host}")
        return real(host, *args, **kwargs)

    return guarded


for _name in ("connect", "connect_ex"):
    setattr(socket.socket, _name, _guarded(getattr(socket.socket, _name)))
socket.getaddrinfo = _guarded_lookup(socket.getaddrinfo)
