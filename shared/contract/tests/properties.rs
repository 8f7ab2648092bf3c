//! Whatever the text, reading it ends, and ends with a contract or with errors that have a place.

use penstock_contract::parse;
use proptest::prelude::*;
use proptest::sample::{Index, select};

const VALID: &str = include_str!("../../../infra/contracts/nordwind.yaml");

/// Pieces that matter to YAML or to a contract.
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

/// A change of the text: at a place, so many characters are replaced by a piece.
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
    let places: Vec<(usize, usize)> =
        errors.as_slice().iter().map(|error| (error.line, error.column)).collect();
    prop_assert!(places.is_sorted());
    Ok(())
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
    fn a_contract_with_changes_is_read_or_refused(changes in changes()) {
        let mut text: Vec<char> = VALID.chars().collect();
        for (index, length, piece) in changes {
            let start = index.index(text.len());
            let end = (start + length).min(text.len());
            text.splice(start..end, piece.chars());
        }
        check(&text.into_iter().collect::<String>())?;
    }

    #[test]
    fn a_contract_without_some_lines_is_read_or_refused(dropped in prop::collection::vec(any::<Index>(), 1..6)) {
        let mut lines: Vec<&str> = VALID.lines().collect();
        for index in dropped {
            lines.remove(index.index(lines.len()));
        }
        check(&lines.join("\n"))?;
    }

    #[test]
    fn a_contract_with_lines_in_other_places_is_read_or_refused(moves in prop::collection::vec((any::<Index>(), any::<Index>()), 1..6)) {
        let mut lines: Vec<&str> = VALID.lines().collect();
        for (from, to) in moves {
            let line = lines[from.index(lines.len())];
            lines.insert(to.index(lines.len()), line);
        }
        check(&lines.join("\n"))?;
    }

    #[test]
    fn a_scalar_of_another_kind_is_read_or_refused(index in any::<Index>(), piece in select(&PIECES[..])) {
        let mut lines: Vec<String> = VALID.lines().map(str::to_owned).collect();
        let index = index.index(lines.len());
        if let Some((key, _)) = lines[index].clone().split_once(": ") {
            lines[index] = format!("{key}: {piece}");
        }
        check(&lines.join("\n"))?;
    }
}
