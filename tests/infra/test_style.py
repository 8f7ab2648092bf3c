"""The checks of `make lint` that are our own find what they are for."""

from __future__ import annotations

from pathlib import Path

import pytest

import structure
import words


@pytest.mark.parametrize(
    "text",
    [
        "a row stands in the ledger",
        "told at once, with its line and the mend",
        "tell_code(code)",
        "fn told() {}",
        "struct ToldOnce;",
        "a message comes back",
        "at least so many bytes",
        "fewer than no rows",
        "the drop was not taken",
        "the other way round",
    ],
)
def test_a_word_of_the_dialect_is_found(text: str) -> None:
    assert list(words.find(text, markdown=False))


@pytest.mark.parametrize(
    "text",
    [
        "a standard",
        "outstanding",
        "so many that it fails",
        "an odd number of bytes",
        "untold `told` stories",
    ],
)
def test_ordinary_english_and_code_spans_pass(text: str) -> None:
    assert not list(words.find(text, markdown=False))


def test_quotations_and_code_blocks_pass_in_markdown_only() -> None:
    quotation = 'it printed "a row stands" and\n```\nstands\n```\n'
    assert not list(words.find(quotation, markdown=True))
    assert [line for line, _, _ in words.find(quotation, markdown=False)] == [1, 3]


def test_a_phrase_is_found_across_lines() -> None:
    comment = "    /// Holds at least so\n    /// many rows, the other way\n    // round.\n"
    assert [(line, word) for line, word, _ in words.find(comment, markdown=False)] == [
        (1, "so many"),
        (2, "other way round"),
    ]


def test_a_cycle_of_imports_is_found(tmp_path: Path) -> None:
    (tmp_path / "lib.rs").write_text("mod a;\nmod b;\nmod c;\n")
    (tmp_path / "a.rs").write_text("use crate::b::Second;\npub struct First(Second);\n")
    (tmp_path / "b.rs").write_text("pub struct Second;\nfn call() { crate::a::run() }\n")
    (tmp_path / "c.rs").write_text("use super::a::First;\nuse crate::b::{Second as Other, *};\n")
    graph = structure.Crate(tmp_path).imports()
    assert structure.cycles(graph) == [[tmp_path / "a.rs", tmp_path / "b.rs"]]


def test_a_name_that_is_re_exported_counts_for_the_file_that_defines_it(tmp_path: Path) -> None:
    (tmp_path / "lib.rs").write_text("mod a;\nmod user;\n")
    (tmp_path / "a.rs").write_text("mod inner;\npub use inner::Item;\n")
    (tmp_path / "a").mkdir()
    (tmp_path / "a/inner.rs").write_text("pub struct Item;\n")
    (tmp_path / "user.rs").write_text("use crate::a::Item;\nfn take(_: Item) {}\n")
    graph = structure.Crate(tmp_path).imports()
    assert graph[tmp_path / "user.rs"] == {tmp_path / "a/inner.rs"}
