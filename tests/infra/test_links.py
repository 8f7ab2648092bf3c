"""The links between the Markdown pages of the repository lead to existing files and headings."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from support.stack import ROOT

# Folders of the repository with pages. Others contain installed or generated files.
FOLDERS = ["cli", "docs", "functions", "infra", "shared", "tests"]
FENCED = re.compile(r"^ *```.*?^ *```", re.MULTILINE | re.DOTALL)
CODE_SPAN = re.compile(r"`[^`\n]*`")
LINK = re.compile(r"\]\((?P<path>[^)#\s]*)(?:#(?P<anchor>[^)\s]*))?\)")
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)


def pages() -> list[Path]:
    nested = (page for folder in FOLDERS for page in (ROOT / folder).rglob("*.md"))
    return sorted([*ROOT.glob("*.md"), *nested])


@cache
def anchors(page: Path) -> set[str]:
    """Returns the anchors that GitHub generates for the headings of a page."""
    headings = HEADING.findall(FENCED.sub("", page.read_text()))
    texts = (re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower() for heading in headings)
    return {re.sub(r"[^\w -]", "", text).replace(" ", "-") for text in texts}


def broken_links(page: Path, text: str) -> Iterator[str]:
    """Yields relative links to missing files or headings. Links to other sites are not checked."""
    for link in LINK.finditer(CODE_SPAN.sub("", FENCED.sub("", text))):
        path, anchor = link["path"], link["anchor"]
        if ":" in path:
            continue
        linked = page.parent / path if path else page
        if not linked.exists():
            yield f"no file {path}"
        elif anchor and linked.suffix == ".md" and anchor not in anchors(linked):
            yield f"no heading {path}#{anchor}"


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_each_link_of_a_page_is_valid(page: Path) -> None:
    assert list(broken_links(page, page.read_text())) == []


@pytest.mark.parametrize(
    ("text", "broken"),
    [
        ("[a](runbook.md#rejects), [b](https://example.com/none.md), `[c](none.md)`", []),
        ("[a](none.md)", ["no file none.md"]),
        ("[a](runbook.md#reject)", ["no heading runbook.md#reject"]),
        ("[a](#none)", ["no heading #none"]),
    ],
)
def test_broken_links_are_found(text: str, broken: list[str]) -> None:
    assert list(broken_links(ROOT / "docs/deploy.md", text)) == broken
