//! Detection of repeated keys of objects, by comparing one word for each key. Keys themselves are only compared if two
//! words are equal.

/// 2^64 divided by the golden ratio. The upper bits of a product with it depend on all bits of the other factor.
const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;

/// The most words that are stored without an allocation.
const MAX_FEW: usize = 16;
/// The most words that are compared in pairs. More are sorted.
const MAX_PAIRED: usize = 32;

/// The words of the keys of the current object and of the enclosing ones.
#[derive(Debug, Default)]
pub(crate) struct KeyWords {
    few: [u64; MAX_FEW],
    /// All words, once there were more than [`MAX_FEW`].
    many: Vec<u64>,
    count: usize,
}

impl KeyWords {
    /// Begins an object. Returns the number of words of the enclosing objects, to pass to [`close`](Self::close).
    pub(crate) fn open(&mut self) -> usize {
        self.count
    }

    /// Adds the word of a key of the current object.
    #[inline]
    pub(crate) fn enter(&mut self, word: u64) {
        match self.few.get_mut(self.count) {
            Some(slot) if self.many.is_empty() => *slot = word,
            _ => self.push_many(word),
        }
        self.count = self.count.saturating_add(1);
    }

    /// Ends the current object. Returns true if two of its words are equal.
    #[inline]
    pub(crate) fn close(&mut self, outer: usize) -> bool {
        let is_few = self.many.is_empty();
        let words = if is_few { self.few.get_mut(outer..self.count) } else { self.many.get_mut(outer..) };
        let has_equal = has_equal(words.expect("the words of the enclosing objects come first"));
        self.many.truncate(outer);
        self.count = outer;
        has_equal
    }

    #[cold]
    fn push_many(&mut self, word: u64) {
        if self.many.is_empty() {
            self.many.extend_from_slice(&self.few);
        }
        self.many.push(word);
    }
}

/// Returns true if two of the words are equal. May reorder them.
pub(crate) fn has_equal(words: &mut [u64]) -> bool {
    if words.len() <= MAX_PAIRED {
        return has_equal_pair(words);
    }
    words.sort_unstable();
    words.array_windows().any(|[one, next]| one == next)
}

#[inline]
fn has_equal_pair(words: &[u64]) -> bool {
    let mut rest = words;
    let mut is_equal = false;
    while let [last, others @ ..] = rest {
        // A loop without branches compiles to vector instructions.
        for other in others {
            is_equal |= last == other;
        }
        rest = others;
    }
    is_equal
}

/// Returns a word for the key in the first `length` bytes of `text`. Equal keys have equal words. Different keys of up
/// to eight bytes without NUL have different words.
#[inline]
pub(crate) fn word(text: &[u8], length: usize) -> u64 {
    /// The bytes of a word that belong to a key, by the key's length.
    const MASKS: [u64; 9] = [
        0,
        0xff,
        0xffff,
        0xff_ffff,
        0xffff_ffff,
        0xff_ffff_ffff,
        0xffff_ffff_ffff,
        0xff_ffff_ffff_ffff,
        u64::MAX,
    ];
    match (text.first_chunk::<8>(), MASKS.get(length)) {
        (Some(head), Some(mask)) => u64::from_le_bytes(*head) & mask,
        _ => long_word(text.get(..length).expect("a key is within its text")),
    }
}

fn long_word(key: &[u8]) -> u64 {
    let Some(last) = key.last_chunk::<8>() else {
        // A short key that is too close to the end of the text to read eight bytes.
        return key.iter().rfold(0, |word, byte| word << 8 | u64::from(*byte));
    };
    let mix =
        |word: u64, eight: &[u8; 8]| (word ^ u64::from_le_bytes(*eight)).wrapping_mul(FACTOR).rotate_left(29);
    let (eights, _) = key.as_chunks::<8>();
    eights.iter().fold(mix(0, last), mix)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_word_of_a_key_does_not_depend_on_the_text_after_it() {
        for length in 0..40 {
            let key: Vec<u8> = (0..length).map(|at| b'a' + u8::try_from(at % 26).unwrap()).collect();
            let alone = word(&key, key.len());
            for after in ["\"", "\":1}", "\":\"a longer text than any word\"}"] {
                let text = [&key, after.as_bytes()].concat();
                assert_eq!(word(&text, key.len()), alone, "{length} {after}");
            }
            let mut other = key.clone();
            for at in 0..key.len() {
                other[at] = b'Z';
                assert_ne!(word(&other, other.len()), alone, "{length} {at}");
                other[at] = key[at];
            }
            other.push(b'x');
            assert_ne!(word(&other, other.len()), alone, "{length}");
        }
    }

    #[test]
    fn nested_objects_are_compared_separately() {
        for count in [1, 15, 16, 17, 40] {
            let mut words = KeyWords::default();
            (0..count).for_each(|word| words.enter(word));
            let outer = words.open();
            (0..count).for_each(|word| words.enter(word));
            assert!(!words.close(outer), "{count}");
            words.enter(count);
            words.enter(0);
            assert!(words.close(0), "{count}");
            words.enter(0);
            assert!(!words.close(0), "{count}");
        }
    }

    #[test]
    fn equal_words_are_detected_among_few_and_many() {
        for count in [0_u64, 1, 2, 3, 31, 32, 33, 500] {
            let mut words: Vec<u64> =
                (0..count).map(|word| word.wrapping_mul(0x1234_5678_9abc_def1)).collect();
            assert!(!has_equal(&mut words.clone()), "{count}");
            if let [first, .., last] = words.as_mut_slice() {
                *last = *first;
                assert!(has_equal(&mut words), "{count}");
            }
        }
    }
}
