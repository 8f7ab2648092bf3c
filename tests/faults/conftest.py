"""A stack whose functions connect to the services through a proxy, and which redelivers messages quickly."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from support.proxy import Proxy
from support.stack import Stack


@pytest.fixture(scope="session")
def proxy() -> Iterator[Proxy]:
    with Proxy.running() as proxy:
        yield proxy


@pytest.fixture(scope="session")
def faulty(tmp_path_factory: pytest.TempPathFactory, proxy: Proxy) -> Iterator[Stack]:
    """The stack that these tests inject faults into."""
    options = ("--parameter", "ChunkRows=500", "--visibility-timeout", "3")
    through_proxy = ("--function-variable", f"AWS_ENDPOINT_URL={proxy.url}")
    with Stack.up(tmp_path_factory.mktemp("faulty"), *options, *through_proxy) as stack:
        proxy.upstream = stack.variables["AWS_ENDPOINT_URL"]
        yield stack
