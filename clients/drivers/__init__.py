"""The clients under test behind one interface: each does a request in its own way and adds nothing to it."""

from .curl import Curl
from .driver import Driver, Refused
from .fetch import Fetch
from .generated import Generated
from .python_requests import Requests

DRIVERS = (Curl, Requests, Fetch, Generated)

__all__ = ["DRIVERS", "Driver", "Refused"]
