//! Decides between `.` and `,` as the decimal separator if the values of a column are ambiguous.

/// Characters that separate decimals in some countries and groups of digits in others.
pub(super) const AMBIGUOUS: [char; 2] = ['.', ','];

/// Returns false for a number in which the separator cannot separate groups: `1.5`, `0.500` or `1.234e5`, but not `1.234`.
pub(super) fn may_be_grouped(text: &str, separator: char) -> bool {
    let number = text.trim_matches(|letter: char| !letter.is_ascii_digit());
    let mut groups = number.split(separator);
    let first = groups.next().expect("a split has at least one part");
    let mut rest = groups.peekable();
    let are_digits = |group: &str| group.bytes().all(|byte| byte.is_ascii_digit());
    rest.peek().is_none()
        || (1..=3).contains(&first.len())
            && !first.starts_with('0')
            && are_digits(first)
            && rest.all(|group| group.len() == 3 && are_digits(group))
}

/// The columns whose values show the decimal separator of the file.
#[derive(Debug, Default)]
pub(super) struct Separators {
    point: Option<String>,
    comma: Option<String>,
}

impl Separators {
    /// Collects the columns. Each has a name, and the separator that its values show.
    pub(super) fn of<'n>(columns: impl Iterator<Item = (&'n str, Option<char>)>) -> Self {
        let mut separators = Self::default();
        for (name, shown) in columns {
            let column = match shown {
                Some(',') => &mut separators.comma,
                Some(_) => &mut separators.point,
                None => continue,
            };
            column.get_or_insert_with(|| name.to_owned());
        }
        separators
    }

    /// Returns the decimal separator with a column that shows it; `None` if no column does, or columns contradict each
    /// other.
    pub(super) fn decimal(&self) -> Option<(char, &str)> {
        match (&self.point, &self.comma) {
            (Some(column), None) => Some(('.', column)),
            (None, Some(column)) => Some((',', column)),
            (Some(_), Some(_)) | (None, None) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_may_be_grouped_when_three_digits_follow_each_separator() {
        for (text, expected) in [
            ("1.234", true),
            ("12.500", true),
            ("-1.234", true),
            ("+513.100", true),
            ("1.234.567", true),
            ("1.234-", true),
            ("12", true),
            ("1234", true),
            ("0", true),
            ("1.5", false),
            ("1.2345", false),
            ("1234.567", false),
            ("0.500", false),
            ("012.500", false),
            ("1.234e5", false),
            ("1.234,50", false),
        ] {
            assert_eq!(may_be_grouped(text, '.'), expected, "{text}");
        }
        assert!(may_be_grouped("1,234", ','));
    }

    #[test]
    fn columns_that_contradict_each_other_show_no_separator() {
        let of = |columns: &[(&'static str, Option<char>)]| Separators::of(columns.iter().copied());
        assert_eq!(of(&[("a", None), ("b", Some(',')), ("c", Some(','))]).decimal(), Some((',', "b")));
        assert_eq!(of(&[("a", Some('.')), ("b", None)]).decimal(), Some(('.', "a")));
        assert_eq!(of(&[("a", Some('.')), ("b", Some(','))]).decimal(), None);
        assert_eq!(of(&[]).decimal(), None);
    }
}
