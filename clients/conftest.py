"""What the tests share: one server, and programs that must be there."""

import shutil
import sys

import pytest

from running import Server, use_environment


use_environment()


def pytest_addoption(parser):
    parser.addoption("--every-cut", action="store_true", help="test_cuts.py: cuts at every row, not only at some")


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    for program in ("curl", "node"):
        assert shutil.which(program), f"{program} is missing"
    running = Server(tmp_path_factory.mktemp("server"))
    yield running
    running.stop()


@pytest.fixture(scope="session")
def python() -> str:
    """The Python that has the clients' packages."""
    return sys.executable
