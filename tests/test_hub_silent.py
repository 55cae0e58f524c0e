"""A server that accepts a connection, and then never answers."""

import socket
from collections.abc import Iterator
from typing import NamedTuple

import pytest
from huggingface_hub import HfApi

from rawshelf import published
from rawshelf.errors import HubError, SourceError
from rawshelf.remote import Remote
from rawshelf.retry import Retry
from tests.hub.client import online


class Silent(NamedTuple):
    """The server.

    Attributes:
        url: Its address.
    """

    url: str


@pytest.fixture
def silent(monkeypatch: pytest.MonkeyPatch) -> Iterator[Silent]:
    """Serve, and let requests wait for a moment only."""
    monkeypatch.setattr(published, "ANSWER_SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as server:
        found = Silent(f"http://127.0.0.1:{server.getsockname()[1]}")
        with online(found):
            yield found


def test_what_a_repository_holds_is_not_waited_for_without_end(silent: Silent) -> None:
    """A push or a verification ends, after some attempts."""
    waits: list[float] = []
    remote = Remote("user/name", api=HfApi(silent.url), retry=Retry(3, sleep=waits.append))

    with pytest.raises(HubError, match="read the repository") as caught:
        remote.state()

    assert "timed out" in str(caught.value.found).lower()
    assert 2 == len(waits)


def test_a_conversion_on_the_hub_is_not_waited_for_without_end(
    silent: Silent, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor a stream of it begun."""
    monkeypatch.setattr("huggingface_hub.HfApi", lambda token: HfApi(silent.url, token=token))

    with pytest.raises(SourceError, match="cannot be read") as caught:
        published.find("user/name")

    assert "timed out" in str(caught.value.found).lower()
