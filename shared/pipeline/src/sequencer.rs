//! Sequencers of drops whose events were lost.
//!
//! S3 orders the versions of one object by the sequencers of their events. A drop that the sentinel finds has none. Its
//! sequencer is derived from that of the nearest older version, so that the drop is ordered after that version and
//! before the next one, as in the listing of the bucket.

/// Returns the sequencer of a version without an event.
///
/// `older` is the sequencer of the nearest older version that has one, `None` if there is none; then the result is less
/// than every sequencer of S3, which begin with the time. `position` is the number of versions from that one to this
/// one: 1 for the next version.
///
/// Sequencers are compared as texts, and S3 appends zeros to the shorter one. The result begins with `older` and has a
/// part that is greater than zeros, so both comparisons order it after `older`, and before a sequencer of S3 that is
/// greater than `older`, which differs from it earlier.
///
/// # Panics
/// Panics if `position` is 0.
///
/// ```
/// use penstock_pipeline::derived_sequencer;
///
/// let older = "0055AED6DCD90281E5";
/// assert!(derived_sequencer(Some(older), 1).as_str() > older);
/// assert!(derived_sequencer(Some(older), 2).as_str() < "0055AED6DCD90281E6");
/// ```
pub fn derived_sequencer(older: Option<&str>, position: u32) -> String {
    assert!(position > 0, "position 0 is that of the older version");
    format!("{}{position:08X}", older.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// S3's comparison, see "Event message structure" in the documentation of S3.
    fn padded(sequencer: &str, length: usize) -> String {
        format!("{sequencer:0<length$}")
    }

    #[test]
    fn a_version_older_than_all_others_sorts_first() {
        for first in ["0055AED6DCD90281E5", "617f08299329d189"] {
            assert!(derived_sequencer(None, u32::MAX / 1024).as_str() < first);
        }
        assert!(derived_sequencer(None, 1) < derived_sequencer(None, 2));
    }

    #[test]
    fn a_version_that_is_found_later_sorts_after_the_derived_one() {
        let found = derived_sequencer(Some("0055AED6DCD90281E5"), 1);
        let later = derived_sequencer(Some(&found), 1);
        assert!(found < later && later.as_str() < "0055AED6DCD90281E6");
        assert!(later < derived_sequencer(Some("0055AED6DCD90281E5"), 2));
    }

    proptest! {
        #[test]
        fn derived_sequencers_are_between_their_neighbours(
            older in "[0-9A-F]{18}", newer in "[0-9A-F]{18}", first in 1u32.., second in 1u32..,
        ) {
            prop_assume!(older < newer && first < second);
            let (first, second) =
                (derived_sequencer(Some(&older), first), derived_sequencer(Some(&older), second));
            let order = [&older, &first, &second, &newer];
            prop_assert!(order.is_sorted());
            let padded = order.map(|sequencer| padded(sequencer, 40));
            prop_assert!(padded.is_sorted() && padded[0] < padded[1] && padded[2] < padded[3]);
        }
    }
}
