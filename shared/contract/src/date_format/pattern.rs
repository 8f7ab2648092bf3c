//! Compiles patterns of the JDK's `DateTimeFormatter`.

use super::element::{DateField, Digits, Element, NameStyle, OffsetStyle, PatternFields};
use crate::error::quoted;

/// A run of one letter, or a literal.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    Letters(char, usize),
    Literal(String),
}

/// Compiles a pattern of dates or points in time.
pub(super) fn dates(pattern: &str) -> Result<(Vec<Element>, PatternFields), String> {
    compile(pattern, date_fault)
}

/// Compiles a pattern of times of day.
pub(super) fn times(pattern: &str) -> Result<(Vec<Element>, PatternFields), String> {
    compile(pattern, time_fault)
}

fn compile(
    pattern: &str,
    fault: fn(&[char]) -> Option<String>,
) -> Result<(Vec<Element>, PatternFields), String> {
    let shown = |why: String| format!("{}: {why}", quoted(pattern));
    let tokens = tokens(pattern).map_err(shown)?;
    let mut elements = tokens.iter().map(element).collect::<Result<Vec<_>, _>>().map_err(shown)?;
    let letters: Vec<char> = tokens.iter().filter_map(letter).collect();
    if let Some(why) = twice(&letters).or_else(|| fault(&letters)).or_else(|| clock_fault(&letters)) {
        return Err(shown(why));
    }
    reserve(&mut elements, &tokens).map_err(shown)?;
    Ok((elements, parts(&letters)))
}

fn tokens(pattern: &str) -> Result<Vec<Token>, String> {
    let mut tokens = Vec::new();
    let mut rest = pattern;
    while let Some(first) = rest.chars().next() {
        let after = rest.strip_prefix(first).expect("the text begins with its first character");
        if first == '\'' {
            let (text, after) = quoted_literal(after).ok_or("a quote `'` is not closed")?;
            literal(&mut tokens, &text);
            rest = after;
        } else if first == 'T' && !after.starts_with('T') {
            // The standard's own examples omit the quotes that the JDK requires.
            literal(&mut tokens, "T");
            rest = after;
        } else if first.is_ascii_alphabetic() {
            let count = rest.chars().take_while(|next| *next == first).count();
            tokens.push(Token::Letters(first, count));
            rest = rest.trim_start_matches(first);
        } else if matches!(first, '[' | ']' | '{' | '}' | '#') {
            return Err(format!("`{first}` (optional or reserved parts) is not supported"));
        } else {
            literal(&mut tokens, first.encode_utf8(&mut [0; 4]));
            rest = after;
        }
    }
    Ok(tokens)
}

/// Appends a literal, merging it with a literal before it.
fn literal(tokens: &mut Vec<Token>, text: &str) {
    match tokens.last_mut() {
        Some(Token::Literal(before)) => before.push_str(text),
        Some(Token::Letters(..)) | None => tokens.push(Token::Literal(text.to_owned())),
    }
}

/// Returns the text before the closing quote, and the rest after the quote. `''` is one quote.
fn quoted_literal(text: &str) -> Option<(String, &str)> {
    let mut literal = String::new();
    let mut rest = text;
    loop {
        let (part, after) = rest.split_once('\'')?;
        literal.push_str(part);
        let Some(more) = after.strip_prefix('\'') else {
            return Some((if literal.is_empty() { "'".to_owned() } else { literal }, after));
        };
        literal.push('\'');
        rest = more;
    }
}

/// Returns the element of a token. Numbers of variable width reserve no digits yet.
fn element(token: &Token) -> Result<Element, String> {
    let (letter, count) = match token {
        Token::Literal(text) => {
            return Ok(match *text.as_bytes() {
                [byte] => Element::Byte(byte),
                _ => Element::Text(text.as_bytes().into()),
            });
        }
        Token::Letters(letter, count) => (*letter, *count),
    };
    let digits = |field, min, max| Element::Digits(Digits { field, min, max, reserved: 0 });
    Ok(match (letter, count) {
        ('y' | 'u', 1) => digits(DateField::Year, 1, 4),
        ('y' | 'u', 2) => Element::ShortYear,
        ('y' | 'u', 4) => Element::Year,
        ('M' | 'L', 3) => Element::Month(NameStyle::Short),
        ('M' | 'L', 4) => Element::Month(NameStyle::Full),
        ('E', 1..=3) => Element::Weekday(NameStyle::Short),
        ('E', 4) => Element::Weekday(NameStyle::Full),
        ('D', 1) => digits(DateField::YearDay, 1, 3),
        ('D', 2) => digits(DateField::YearDay, 2, 3),
        ('D', 3) => digits(DateField::YearDay, 3, 3),
        ('a', 1) => Element::HalfDay,
        ('S', 1..=9) => Element::Fraction(u8::try_from(count).expect("at most 9")),
        ('X' | 'x', 1..=5) | ('Z', 1..=3 | 5) => Element::Offset(offset_style(letter, count)),
        (_, 1 | 2) => match (field_of_two_digits(letter), count) {
            (Some(field), 1) => digits(field, 1, 2),
            (Some(field), _) => Element::TwoDigits(field),
            (None, _) => return Err(unsupported(letter, count)),
        },
        _ => return Err(unsupported(letter, count)),
    })
}

fn field_of_two_digits(letter: char) -> Option<DateField> {
    match letter {
        'M' | 'L' => Some(DateField::Month),
        'd' => Some(DateField::Day),
        'H' | 'h' => Some(DateField::Hour),
        'm' => Some(DateField::Minute),
        's' => Some(DateField::Second),
        _ => None,
    }
}

fn offset_style(letter: char, count: usize) -> OffsetStyle {
    // `ZZZZZ` is the same as `XXXXX`, and fewer letters are the same as `xx`.
    let (letter, count) = match (letter, count) {
        ('Z', 5) => ('X', 5),
        ('Z', _) => ('x', 2),
        other => other,
    };
    let zero: &[u8] = match (letter, count) {
        ('X', _) => b"Z",
        (_, 1) => b"+00",
        (_, 3 | 5) => b"+00:00",
        _ => b"+0000",
    };
    OffsetStyle {
        zero,
        has_colons: matches!(count, 3 | 5),
        may_lack_minutes: count == 1,
        may_have_seconds: count > 3,
    }
}

fn unsupported(letter: char, count: usize) -> String {
    let shown: String = std::iter::repeat_n(letter, count).collect();
    match letter {
        'Y' => format!("`{shown}` is the year of a week; did you mean `{}`?", shown.to_lowercase()),
        'A' | 'n' | 'N' => {
            format!("`{shown}` (milliseconds or nanoseconds of the day or second) is not supported")
        }
        'z' | 'V' | 'v' | 'O' | 'Z' => format!(
            "`{shown}` (names of time zones) is not supported; offsets are (`XXX`), or set defaultTimezone"
        ),
        _ => format!("`{shown}` is not supported; write a literal letter in quotes: `'{shown}'`"),
    }
}

fn letter(token: &Token) -> Option<char> {
    match token {
        Token::Letters(letter, _) => Some(*letter),
        Token::Literal(_) => None,
    }
}

/// Computes the digits that a number of variable width leaves to the numbers after it, where no literal separates them.
/// At most one of them may vary in width. Of several, the JDK lets the first ones read all the digits that they may
/// have, so that no text matches (or `DD` behaves like `DDD`). `yyyy` varies for the JDK, too.
fn reserve(elements: &mut [Element], tokens: &[Token]) -> Result<(), String> {
    let mut reserved = 0_u8;
    let mut varies = false;
    for (element, token) in elements.iter_mut().zip(tokens).rev() {
        let width = match element {
            Element::TwoDigits(_) | Element::ShortYear => Some(2),
            Element::Fraction(digits) => Some(*digits),
            Element::Digits(Digits { min: 3, max: 3, .. }) => Some(3),
            Element::Year | Element::Digits(_) => None,
            Element::Month(_)
            | Element::Weekday(_)
            | Element::HalfDay
            | Element::Offset(_)
            | Element::Byte(_)
            | Element::Text(_) => {
                (reserved, varies) = (0, false);
                continue;
            }
        };
        match width {
            Some(width) => reserved = reserved.saturating_add(width),
            None if varies => return Err(two_vary(token)),
            None => {
                varies = true;
                if let Element::Digits(digits) = element {
                    digits.reserved = reserved;
                }
            }
        }
    }
    Ok(())
}

fn two_vary(token: &Token) -> String {
    let Token::Letters(letter, count) = token else { unreachable!("only numbers vary in width") };
    let shown: String = std::iter::repeat_n(*letter, *count).collect();
    let fix = match letter {
        'D' => "write `DDD`".to_owned(),
        'y' | 'u' => "write that with two letters (`MM`, `dd`)".to_owned(),
        letter => format!("write `{letter}{letter}`"),
    };
    format!("`{shown}` and the number after it are not separated; {fix}")
}

/// Returns the representative of the letters that mean the same field.
fn kind(letter: char) -> char {
    match letter {
        'u' => 'y',
        'L' => 'M',
        'h' => 'H',
        'x' | 'Z' => 'X',
        other => other,
    }
}

/// Returns the fault of a pattern in which a field occurs twice.
fn twice(letters: &[char]) -> Option<String> {
    let mut distinct: Vec<char> = Vec::new();
    for letter in letters {
        let Some(known) = distinct.iter().find(|known| kind(**known) == kind(*letter)) else {
            distinct.push(*letter);
            continue;
        };
        return Some(match (known == letter, letter) {
            (true, 'm') => "`m` (minutes) occurs twice; months are `M`".to_owned(),
            (true, letter) => format!("`{letter}` occurs twice"),
            (false, letter) => format!("`{known}` and `{letter}` are the same field; keep one of them"),
        });
    }
    None
}

fn date_fault(letters: &[char]) -> Option<String> {
    let has = |wanted: char| letters.iter().any(|letter| kind(*letter) == wanted);
    if has('y') && (has('D') || has('M') && has('d')) {
        return None;
    }
    let needs = "it needs a year, a month and a day (`yyyy-MM-dd`)";
    let confuses = has('m') && !has('M');
    Some(if confuses { format!("{needs}; `m` is minutes, `M` months") } else { needs.to_owned() })
}

fn time_fault(letters: &[char]) -> Option<String> {
    for letter in letters {
        match kind(*letter) {
            'H' | 'm' | 's' | 'S' | 'a' => {}
            'M' => return Some("a time of day has no month; minutes are `m`".to_owned()),
            'X' => return Some("a time of day has no offset; remove it".to_owned()),
            _ => {
                return Some(format!(
                    "`{letter}` is part of a date; write `logicalType: timestamp`, or remove it"
                ));
            }
        }
    }
    let has_hour = letters.iter().any(|letter| kind(*letter) == 'H');
    (!has_hour).then(|| "it needs an hour (`HH:mm:ss`)".to_owned())
}

/// Returns the fault of a time of day that lacks a field between others.
fn clock_fault(letters: &[char]) -> Option<String> {
    if letters.contains(&'h') != letters.contains(&'a') {
        return Some("`h` (1 to 12) goes with `a` (AM or PM); did you mean `HH`?".to_owned());
    }
    let has = |wanted: char| letters.iter().any(|letter| kind(*letter) == wanted);
    let needs = [
        ('m', 'H', "minutes need an hour (`HH`)"),
        ('s', 'm', "seconds need minutes (`mm`)"),
        ('S', 's', "a fraction needs seconds (`ss`)"),
    ];
    let missing = needs.iter().find(|(part, whole, _)| has(*part) && !has(*whole));
    missing.map(|(part, _, why)| format!("`{part}`: {why}"))
}

fn parts(letters: &[char]) -> PatternFields {
    let has = |wanted: char| letters.iter().any(|letter| kind(*letter) == wanted);
    PatternFields {
        has_month: has('M'),
        has_day: has('d'),
        has_year_day: has('D'),
        has_weekday: has('E'),
        has_time: has('H'),
        has_half_day: letters.contains(&'h'),
        has_offset: has('X'),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_are_compiled_to_the_widths_of_their_numbers() {
        let digits = |field, min, max, reserved| Element::Digits(Digits { field, min, max, reserved });
        let two = Element::TwoDigits;
        let slash = || Element::Byte(b'/');
        let text = |text: &str| Element::Text(text.as_bytes().into());
        let (year, month, day) = (DateField::Year, DateField::Month, DateField::Day);
        for (pattern, expected) in [
            ("ddMMyyyy", vec![two(day), two(month), Element::Year]),
            ("yyMMdd", vec![Element::ShortYear, two(month), two(day)]),
            ("yMMdd", vec![digits(year, 1, 4, 4), two(month), two(day)]),
            (
                "d/M/y",
                vec![digits(day, 1, 2, 0), slash(), digits(month, 1, 2, 0), slash(), digits(year, 1, 4, 0)],
            ),
            ("yyyy'T'T''' 'DDD", vec![Element::Year, text("TT' "), digits(DateField::YearDay, 3, 3, 0)]),
        ] {
            assert_eq!(dates(pattern).map(|(elements, _)| elements), Ok(expected), "{pattern}");
        }
        let (clock, _) = times("HmmssSSS").unwrap();
        let expected = [
            digits(DateField::Hour, 1, 2, 7),
            two(DateField::Minute),
            two(DateField::Second),
            Element::Fraction(3),
        ];
        assert_eq!(clock, expected);
    }

    #[test]
    fn patterns_that_are_not_supported_are_refused_with_a_fix() {
        for (pattern, message) in [
            ("YYYY-MM-dd", "did you mean `yyyy`"),
            ("yyyy-mm-dd", "`m` is minutes, `M` months"),
            ("dd.MM.yyyy hh:mm", "did you mean `HH`"),
            ("dd.MM.yyyy HH:mm a", "did you mean `HH`"),
            ("yyyy-MM-dd z", "names of time zones"),
            ("yyyy-MM-dd ZZZZ", "names of time zones"),
            ("yyyy-MM-dd'T", "not closed"),
            ("yyyy-MM-dd[ HH:mm]", "optional"),
            ("HH:mm:ss", "needs a year"),
            ("dd.mm.yyyy HH:mm", "`m` (minutes) occurs twice; months are `M`"),
            ("dd.MM.yyyy dd", "`d` occurs twice"),
            ("uuuu-MM-dd yyyy", "`u` and `y` are the same field"),
            ("yyyy-MM-dd HH:mmXXXZ", "`X` and `Z` are the same field"),
            ("yyyy-MM-dd HH hh a", "`H` and `h` are the same field"),
            ("yyyy-MM-dd hello", "write a literal letter in quotes"),
            ("yyyy-MM-ddTTHH", "`TT` is not supported"),
            ("yyyyy-MM-dd", "`yyyyy` is not supported"),
            ("yyy-MM-dd", "`yyy` is not supported"),
            ("yyyy-MM-dd HH ss", "`s`: seconds need minutes"),
            ("yyyy-MM-dd mm", "`m`: minutes need an hour"),
            ("yyyy-MM-dd HH:mm.SSS", "`S`: a fraction needs seconds"),
            ("dMyyyy", "`M` and the number after it are not separated; write `MM`"),
            ("dMMyyyy", "`d` and the number after it are not separated; write `dd`"),
            ("yyyyMdd", "`yyyy` and the number after it are not separated"),
            ("DDyyyy", "write `DDD`"),
            ("", "needs a year"),
        ] {
            let error = dates(pattern).unwrap_err();
            assert!(error.contains(message), "{pattern}: {error}");
        }
        for (pattern, message) in [
            ("yyyy-MM-dd HH:mm", "write `logicalType: timestamp`"),
            ("HH:MM", "minutes are `m`"),
            ("HH:mm XXX", "no offset"),
            ("hh:mm", "did you mean `HH`"),
            ("mm:ss", "it needs an hour"),
            ("HH:mm:mm", "`m` (minutes) occurs twice"),
            ("HH:ss", "seconds need minutes"),
            ("Hms", "not separated"),
        ] {
            let error = times(pattern).unwrap_err();
            assert!(error.contains(message), "{pattern}: {error}");
        }
    }
}
