//! Ragged rows: the entries of all rows one after the other, with offsets that say where each begins.

use std::ops::Range;

use crate::Error;

/// Checked offsets: they begin at 0, never fall, and end where the entries end.
#[derive(Debug, Clone, Copy)]
pub struct Ragged<'a> {
    offsets: &'a [i64],
}

impl<'a> Ragged<'a> {
    /// Check the offsets of rows that have `entries` entries in all; `argument` is named in errors.
    pub fn new(argument: &'static str, offsets: &'a [i64], entries: usize) -> Result<Self, Error> {
        let (Some(&first), Some(&last)) = (offsets.first(), offsets.last()) else {
            return Err(Error::Length {
                argument,
                unit: "offsets or more",
                expected: 1,
                found: 0,
            });
        };
        if first != 0 {
            return Err(Error::OffsetsStart {
                argument,
                found: first,
            });
        }
        if let Some(row) = offsets.windows(2).position(|pair| pair[0] > pair[1]) {
            return Err(Error::OffsetsFall {
                argument,
                row,
                before: offsets[row],
                after: offsets[row + 1],
            });
        }
        if usize::try_from(last) != Ok(entries) {
            return Err(Error::OffsetsEnd {
                argument,
                found: last,
                entries,
            });
        }
        Ok(Self { offsets })
    }

    /// How many rows there are.
    pub fn rows(&self) -> usize {
        self.offsets.len() - 1
    }

    /// The positions of a row's entries.
    pub fn row(&self, row: usize) -> Range<usize> {
        self.span(row..row + 1)
    }

    /// The positions of the entries of a range of rows.
    pub fn span(&self, rows: Range<usize>) -> Range<usize> {
        // Between 0 and the number of entries, by the checks of `new`: the casts lose nothing.
        self.offsets[rows.start] as usize..self.offsets[rows.end] as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_found() {
        let ragged = Ragged::new("offsets", &[0, 2, 2, 5], 5).unwrap();
        assert_eq!(ragged.rows(), 3);
        assert_eq!(ragged.row(0), 0..2);
        assert_eq!(ragged.row(1), 2..2);
        assert_eq!(ragged.span(1..3), 2..5);
    }

    #[test]
    fn bad_offsets_are_refused() {
        let message = |offsets: &[i64], entries| {
            let error = Ragged::new("offsets", offsets, entries).unwrap_err();
            error.to_string()
        };
        assert_eq!(
            message(&[], 0),
            "offsets: expected 1 offsets or more, got 0"
        );
        assert_eq!(
            message(&[1, 2], 2),
            "offsets: offsets begin at 1; they must begin at 0"
        );
        assert_eq!(
            message(&[0, 3, 2], 2),
            "offsets: offsets fall from 3 to 2 at row 1; they must never fall"
        );
        assert_eq!(
            message(&[0, 2, 4], 3),
            "offsets: offsets end at 4, but there are 3 entries"
        );
        assert_eq!(
            message(&[0, i64::MAX], 3),
            format!(
                "offsets: offsets end at {}, but there are 3 entries",
                i64::MAX
            )
        );
        assert_eq!(
            message(&[0, -1], 0),
            "offsets: offsets fall from 0 to -1 at row 0; they must never fall"
        );
    }
}
