//! The place of a value's COPY text.

use std::ops::Range;

/// The place of a value's COPY text. It is small so that those of a batch stay in the processor's cache.
#[derive(Debug, Clone, Copy)]
pub(super) struct TextPlace {
    start: u32,
    /// The length and the marks.
    length: u32,
}

impl TextPlace {
    /// The value is missing.
    pub(super) const MISSING: u32 = 1 << 31;
    /// The row is irregular for this column.
    pub(super) const IRREGULAR: u32 = 1 << 30;
    const LENGTH: u32 = Self::IRREGULAR - 1;

    #[inline]
    pub(super) fn new(range: Range<usize>) -> Self {
        const BOUNDED: &str = "the texts of a batch are bounded far below 1 GiB";
        let start = u32::try_from(range.start).expect(BOUNDED);
        let length = u32::try_from(range.len()).expect(BOUNDED);
        debug_assert!(length <= Self::LENGTH, "{BOUNDED}");
        Self { start, length }
    }

    #[inline]
    pub(super) fn marked(self, marks: u32) -> Self {
        Self { length: self.length | marks, ..self }
    }

    #[inline]
    pub(super) fn is(self, mark: u32) -> bool {
        self.length & mark != 0
    }

    #[inline]
    pub(super) fn start(self) -> usize {
        self.start as usize
    }

    #[inline]
    pub(super) fn len(self) -> usize {
        (self.length & Self::LENGTH) as usize
    }

    #[inline]
    pub(super) fn range(self) -> Range<usize> {
        self.start()..self.start().saturating_add(self.len())
    }
}
