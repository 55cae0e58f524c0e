"""A Hub on this machine, for the unmodified clients."""

from tests.hub.faults import Fault
from tests.hub.protocol import Request
from tests.hub.server import Hub
from tests.hub.store import Commit

__all__ = ["Commit", "Fault", "Hub", "Request"]
