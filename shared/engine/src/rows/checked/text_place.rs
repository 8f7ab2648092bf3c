//! Where the COPY text of a value is.

use std::ops::Range;

/// Where a value's COPY text is: so small because all those of a batch stay in the processor's cache.
#[derive(Debug, Clone, Copy)]
pub(super) struct TextPlace {
    start: u32,
    /// With the marks.
    length: u32,
}

impl TextPlace {
    pub(super) const EMPTY: Self = Self { start: 0, length: 0 };
    /// The value is missing.
    pub(super) const MISSING: u32 = 1 << 31;
    /// The row has to be checked by itself.
    pub(super) const ODD: u32 = 1 << 30;
    const LENGTH: u32 = Self::ODD - 1;

    #[inline]
    pub(super) fn new(range: Range<usize>) -> Self {
        // Texts of a batch are bounded far below 1 GiB.
        let at = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
        Self { start: at(range.start), length: at(range.len()).min(Self::LENGTH) }
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
