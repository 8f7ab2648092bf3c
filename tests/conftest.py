"""Fixtures of the end-to-end tests."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

import generate
from support.stack import BINARIES, CONTRACTS, ROOT, Stack


@pytest.fixture(scope="session")
def feeds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the example feeds and their expected results."""
    folder = tmp_path_factory.mktemp("feeds")
    generate.write_feeds(folder)
    return folder


@pytest.fixture(scope="session")
def products() -> Path:
    """The folder with the four real catalogues."""
    folder = Path(os.environ.get("PENSTOCK_PRODUCTS_DIR") or ROOT.parent / "shared/data/products")
    if not folder.is_dir():
        pytest.skip(f"no catalogues in {folder}; PENSTOCK_PRODUCTS_DIR sets another folder")
    return folder


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """One stack for all tests that do not change its settings, with every example contract published."""
    assert (BINARIES / "penstock").is_file(), f"no binaries at {BINARIES}: run `make pytest`"
    # Small, so that a test can exceed it with a file of two megabytes.
    limits = ("--parameter", "SparkMinBytes=2000000", "--visibility-timeout", "5")
    with Stack.up(tmp_path_factory.mktemp("stack"), *limits) as stack:
        stack.publish(*sorted(CONTRACTS.glob("*.yaml")))
        yield stack
