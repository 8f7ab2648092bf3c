//! Patterns of the JDK's `DateTimeFormatter`, which ODCS uses, → `strptime` patterns.
//!
//! Source of the letters: <https://docs.oracle.com/javase/8/docs/api/java/time/format/DateTimeFormatter.html>.

use crate::error::quoted;

/// A translated pattern, and which parts of a point in time it reads.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Translation {
    pub(crate) strptime: String,
    pub(crate) has_date: bool,
    pub(crate) has_time: bool,
    pub(crate) has_offset: bool,
}

impl Translation {
    /// True for the date of ISO 8601, which needs no pattern.
    pub(crate) fn is_iso_date(&self) -> bool {
        self.strptime == "%Y-%m-%d"
    }

    /// True for the time of day of ISO 8601, which needs no pattern.
    pub(crate) fn is_iso_time(&self) -> bool {
        matches!(self.strptime.as_str(), "%H:%M:%S" | "%H:%M:%S.%f")
    }

    /// True for an ISO 8601 point in time, which needs no pattern.
    pub(crate) fn is_iso_instant(&self) -> bool {
        let local = self.strptime.strip_suffix("%:z").or_else(|| self.strptime.strip_suffix("%z"));
        let seconds = local.and_then(|local| local.strip_prefix("%Y-%m-%dT%H:%M:%S"));
        seconds.is_some_and(|fraction| fraction.is_empty() || fraction.starts_with(".%"))
    }
}

/// Translates a JDK pattern that has a date in it.
pub(crate) fn translate(pattern: &str) -> Result<Translation, String> {
    let (mut format, letters) = read(pattern)?;
    format.check(&letters).map_err(|why| format!("{}: {why}", quoted(pattern)))?;
    Ok(format)
}

/// Translates a JDK pattern of a time of day.
pub(crate) fn translate_time(pattern: &str) -> Result<Translation, String> {
    let (format, letters) = read(pattern)?;
    format.check_time(&letters).map_err(|why| format!("{}: {why}", quoted(pattern)))?;
    Ok(format)
}

/// The pattern with the letters that it has, of which nothing was asked yet.
fn read(pattern: &str) -> Result<(Translation, Vec<char>), String> {
    let mut format = Translation::default();
    let mut letters: Vec<char> = Vec::new();
    let mut rest = pattern;
    while let Some(first) = rest.chars().next() {
        if first == '\'' {
            let (literal, after) = quoted_literal(&rest[1..])
                .ok_or_else(|| format!("{}: a quote `'` is not closed", quoted(pattern)))?;
            format.literal(&literal);
            rest = after;
        } else if first.is_ascii_alphabetic() {
            let count = rest.chars().take_while(|next| *next == first).count();
            format.letter(first, count).map_err(|why| format!("{}: {why}", quoted(pattern)))?;
            letters.push(first);
            rest = &rest[count..];
        } else if matches!(first, '[' | ']' | '{' | '}' | '#') {
            return Err(format!(
                "{}: `{first}` (optional or reserved parts) cannot be read",
                quoted(pattern)
            ));
        } else {
            format.literal(first.encode_utf8(&mut [0; 4]));
            rest = &rest[first.len_utf8()..];
        }
    }
    Ok((format, letters))
}

/// What stands up to the closing quote, `''` being one quote, and what comes after it.
fn quoted_literal(text: &str) -> Option<(String, &str)> {
    if let Some(after) = text.strip_prefix('\'') {
        return Some(("'".to_owned(), after));
    }
    let mut literal = String::new();
    let mut rest = text;
    loop {
        let (part, after) = rest.split_once('\'')?;
        literal.push_str(part);
        match after.strip_prefix('\'') {
            Some(more) => {
                literal.push('\'');
                rest = more;
            }
            None => return Some((literal, after)),
        }
    }
}

impl Translation {
    fn literal(&mut self, text: &str) {
        self.strptime.push_str(&text.replace('%', "%%"));
    }

    fn letter(&mut self, letter: char, count: usize) -> Result<(), String> {
        let shown: String = std::iter::repeat_n(letter, count).collect();
        let directive = match (letter, count) {
            ('y' | 'u', 1 | 4) => "%Y",
            ('y' | 'u', 2) => "%y",
            ('M' | 'L', 1 | 2) => "%m",
            ('M' | 'L', 3) => "%b",
            ('M' | 'L', 4) => "%B",
            ('d', 1 | 2) => "%d",
            ('D', 1..=3) => "%j",
            ('E', 1..=3) => "%a",
            ('E', 4) => "%A",
            ('H', 1 | 2) => "%H",
            ('h', 1 | 2) => "%I",
            ('m', 1 | 2) => "%M",
            ('s', 1 | 2) => "%S",
            ('a', 1) => "%p",
            ('S', 1..=9) => "%f",
            // The offset directives also read `Z`.
            ('X' | 'x', 3) | ('Z', 5) => "%:z",
            ('X' | 'x', 2) | ('Z', 1..=3) => "%z",
            // The standard's own examples have it without the quotes that the JDK asks for.
            ('T', 1) => "T",
            ('Y', _) => {
                return Err(format!(
                    "`{shown}` is the year of a week; did you mean `{}`?",
                    shown.to_lowercase()
                ));
            }
            ('A' | 'n' | 'N', _) => {
                return Err(format!("`{shown}` (milliseconds or nanoseconds of the day) cannot be read"));
            }
            ('z' | 'V' | 'v' | 'O', _) => {
                return Err(format!(
                    "`{shown}` (names of time zones) cannot be read; offsets can (`XXX`), or set defaultTimezone"
                ));
            }
            _ => {
                return Err(format!(
                    "`{shown}` cannot be read; a letter that stands for itself goes into quotes: `'{shown}'`"
                ));
            }
        };
        self.strptime.push_str(directive);
        match letter {
            'H' | 'h' => self.has_time = true,
            'X' | 'x' | 'Z' => self.has_offset = true,
            _ => {}
        }
        Ok(())
    }

    fn check(&mut self, letters: &[char]) -> Result<(), String> {
        let has = |wanted: &[char]| letters.iter().any(|letter| wanted.contains(letter));
        self.has_date = has(&['y', 'u']) && (has(&['D']) || has(&['M', 'L']) && has(&['d']));
        half_day(letters)?;
        match twice(letters) {
            Some('m') => Err("`m` (minutes) stands twice; months are `M`".to_owned()),
            Some(letter) => Err(format!("`{letter}` stands twice")),
            None if self.has_date => Ok(()),
            None if has(&['m']) && !has(&['M', 'L']) => {
                Err("it needs a year, a month and a day (`yyyy-MM-dd`); `m` is minutes, `M` months"
                    .to_owned())
            }
            None => Err("it needs a year, a month and a day (`yyyy-MM-dd`)".to_owned()),
        }
    }

    fn check_time(&self, letters: &[char]) -> Result<(), String> {
        half_day(letters)?;
        if let Some(letter) = twice(letters) {
            return Err(format!("`{letter}` stands twice"));
        }
        match letters.iter().find(|letter| !matches!(letter, 'H' | 'h' | 'm' | 's' | 'S' | 'a' | 'T')) {
            Some('M' | 'L') => Err("a time of day has no month; minutes are `m`".to_owned()),
            Some('X' | 'x' | 'Z') => Err("a time of day has no offset; take it out".to_owned()),
            Some(letter) => {
                Err(format!("`{letter}` is of a date; write `logicalType: timestamp`, or take it out"))
            }
            None if self.has_time => Ok(()),
            None => Err("it needs an hour (`HH:mm:ss`)".to_owned()),
        }
    }
}

/// Hours of half a day need to say which half.
fn half_day(letters: &[char]) -> Result<(), String> {
    if letters.contains(&'h') == letters.contains(&'a') {
        return Ok(());
    }
    Err("`h` (1 to 12) goes with `a` (AM or PM); did you mean `HH`?".to_owned())
}

/// The first letter that stands in two places.
fn twice(letters: &[char]) -> Option<char> {
    letters
        .iter()
        .enumerate()
        .find(|(index, letter)| letters.iter().take(*index).any(|before| before == *letter))
        .map(|(_, letter)| *letter)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_are_translated() {
        for (jdk, strptime) in [
            ("yyyy-MM-dd", "%Y-%m-%d"),
            ("dd.MM.yyyy HH:mm:ss", "%d.%m.%Y %H:%M:%S"),
            ("d/M/yy", "%d/%m/%y"),
            ("yyyyMMdd", "%Y%m%d"),
            ("yyyy-MM-dd'T'HH:mm:ssXXX", "%Y-%m-%dT%H:%M:%S%:z"),
            ("yyyy-MM-ddTHH:mm:ssZ", "%Y-%m-%dT%H:%M:%S%z"),
            ("yyyy-MM-dd HH:mm:ss.SSS", "%Y-%m-%d %H:%M:%S.%f"),
            ("EEE, dd MMM yyyy hh:mm a", "%a, %d %b %Y %I:%M %p"),
            ("d. MMMM yyyy", "%d. %B %Y"),
            ("yyyy.DDD", "%Y.%j"),
            ("dd'o''clock' MM yyyy", "%do'clock %m %Y"),
            ("dd''MM''yyyy 100%", "%d'%m'%Y 100%%"),
        ] {
            assert_eq!(translate(jdk).map(|format| format.strptime), Ok(strptime.to_owned()), "{jdk}");
        }
    }

    #[test]
    fn patterns_of_a_time_of_day_are_translated() {
        for (jdk, strptime, value) in [
            ("HH:mm:ss", "%H:%M:%S", "23:59:59"),
            ("HH:mm", "%H:%M", "07:30"),
            ("hh:mm a", "%I:%M %p", "07:30 PM"),
            ("HHmmss", "%H%M%S", "235959"),
            ("HH:mm:ss.SSS", "%H:%M:%S.%f", "23:59:59.125"),
            ("'T'HH", "T%H", "T07"),
        ] {
            assert_eq!(translate_time(jdk).map(|format| format.strptime), Ok(strptime.to_owned()), "{jdk}");
            if strptime != "T%H" {
                assert!(jiff::civil::Time::strptime(strptime, value).is_ok(), "{jdk}");
            }
        }
        for (jdk, message) in [
            ("yyyy-MM-dd HH:mm", "write `logicalType: timestamp`"),
            ("HH:MM", "minutes are `m`"),
            ("HH:mm XXX", "no offset"),
            ("hh:mm", "did you mean `HH`"),
            ("mm:ss", "it needs an hour"),
            ("HH:mm:mm", "`m` stands twice"),
        ] {
            let error = translate_time(jdk).unwrap_err();
            assert!(error.contains(message), "{jdk}: {error}");
        }
    }

    #[test]
    fn every_translation_is_a_pattern_that_jiff_reads() {
        for (jdk, value) in [
            ("yyyyMMdd", "20240131"),
            ("d/M/yy", "3/1/24"),
            ("EEE, dd MMM yyyy hh:mm a", "Wed, 31 Jan 2024 07:05 PM"),
            ("yyyy-MM-dd HH:mm:ss.SSS", "2024-01-31 19:05:06.125"),
            ("yyyy.DDD", "2024.031"),
        ] {
            let strptime = translate(jdk).unwrap().strptime;
            assert!(jiff::civil::DateTime::strptime(&strptime, value).is_ok(), "{jdk} → {strptime}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_told_with_the_mend() {
        for (jdk, message) in [
            ("YYYY-MM-dd", "did you mean `yyyy`"),
            ("yyyy-mm-dd", "`m` is minutes, `M` months"),
            ("dd.MM.yyyy hh:mm", "did you mean `HH`"),
            ("yyyy-MM-dd z", "names of time zones"),
            ("yyyy-MM-dd'T", "not closed"),
            ("yyyy-MM-dd[ HH:mm]", "optional"),
            ("HH:mm:ss", "needs a year"),
            ("dd.mm.yyyy HH:mm", "`m` (minutes) stands twice; months are `M`"),
            ("yyyy-MM-dd hello", "goes into quotes"),
            ("yyyyy-MM-dd", "`yyyyy` cannot be read"),
            ("", "needs a year"),
        ] {
            let error = translate(jdk).unwrap_err();
            assert!(error.contains(message), "{jdk}: {error}");
        }
    }
}
