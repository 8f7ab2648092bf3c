//! Reading terminates for any text, with a contract or with errors that have positions.

use penstock_contract::parse;
use proptest::prelude::*;
use proptest::sample::{Index, select};

/// A contract in use, and one with everything that a contract can declare.
const CONTRACTS: [&str; 2] =
    [include_str!("../../../infra/contracts/nordwind.yaml"), include_str!("golden/everything.yaml")];

/// Texts with a meaning in YAML or in a contract.
const PIECES: [&str; 40] = [
    "",
    "\0",
    "\n",
    "\r\n",
    "\t",
    " ",
    "    ",
    ":",
    ": ",
    "- ",
    "[",
    "]",
    "{",
    "}",
    "\"",
    "'",
    "&a ",
    "*a",
    "|",
    ">",
    "#",
    "!",
    "!!str ",
    "---\n",
    "? ",
    "<<: *a",
    "null",
    "true",
    "-1",
    "1e400",
    "99999999999999999999",
    ".nan",
    "0x",
    "é",
    "\u{feff}",
    "€",
    "name",
    "value",
    "schema",
    "penstock.",
];

/// Generates edits: each replaces a number of characters at a position by a piece.
fn changes() -> impl Strategy<Value = Vec<(Index, usize, &'static str)>> {
    prop::collection::vec((any::<Index>(), 0_usize..40, select(&PIECES[..])), 1..8)
}

fn check(text: &str) -> Result<(), TestCaseError> {
    let Err(errors) = parse("some contract.yaml", text) else { return Ok(()) };
    let lines = text.matches('\n').count() + 2;
    prop_assert!(!errors.as_slice().is_empty());
    prop_assert_eq!(errors.to_string().lines().count(), errors.as_slice().len());
    for error in &errors {
        prop_assert!(error.line >= 1 && error.line <= lines, "{}", error);
        prop_assert!(error.column >= 1 && !error.message.is_empty(), "{}", error);
    }
    let positions: Vec<(usize, usize)> =
        errors.as_slice().iter().map(|error| (error.line, error.column)).collect();
    prop_assert!(positions.is_sorted());
    Ok(())
}

#[test]
fn the_contracts_of_these_tests_are_valid() {
    for text in CONTRACTS {
        parse("contract.yaml", text).unwrap_or_else(|errors| panic!("{errors}"));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn any_text_is_read_or_refused(text in any::<String>()) {
        check(&text)?;
    }

    #[test]
    fn any_pieces_of_yaml_are_read_or_refused(pieces in prop::collection::vec(select(&PIECES[..]), 0..60)) {
        check(&pieces.concat())?;
    }

    #[test]
    fn a_contract_with_changes_is_read_or_refused(valid in select(&CONTRACTS[..]), changes in changes()) {
        let mut text: Vec<char> = valid.chars().collect();
        for (index, length, piece) in changes {
            let start = index.index(text.len());
            let end = (start + length).min(text.len());
            text.splice(start..end, piece.chars());
        }
        check(&text.into_iter().collect::<String>())?;
    }

    #[test]
    fn a_contract_without_some_lines_is_read_or_refused(valid in select(&CONTRACTS[..]), dropped in prop::collection::vec(any::<Index>(), 1..6)) {
        let mut lines: Vec<&str> = valid.lines().collect();
        for index in dropped {
            lines.remove(index.index(lines.len()));
        }
        check(&lines.join("\n"))?;
    }

    #[test]
    fn a_contract_with_lines_in_other_places_is_read_or_refused(valid in select(&CONTRACTS[..]), moves in prop::collection::vec((any::<Index>(), any::<Index>()), 1..6)) {
        let mut lines: Vec<&str> = valid.lines().collect();
        for (from, to) in moves {
            let line = lines[from.index(lines.len())];
            lines.insert(to.index(lines.len()), line);
        }
        check(&lines.join("\n"))?;
    }

    #[test]
    fn a_scalar_of_another_kind_is_read_or_refused(valid in select(&CONTRACTS[..]), index in any::<Index>(), piece in select(&PIECES[..])) {
        let mut lines: Vec<String> = valid.lines().map(str::to_owned).collect();
        let index = index.index(lines.len());
        if let Some((key, _)) = lines[index].clone().split_once(": ") {
            lines[index] = format!("{key}: {piece}");
        }
        check(&lines.join("\n"))?;
    }
}
