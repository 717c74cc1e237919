//! Indices into rows or items, as they come: int32, and perhaps wrong.

use crate::Error;

/// Fail unless every index is in `0..end`.
pub(crate) fn check_indices(
    argument: &'static str,
    indices: &[i32],
    end: usize,
) -> Result<(), Error> {
    let inside = |index: i32| usize::try_from(index).is_ok_and(|index| index < end);
    match indices.iter().position(|&index| !inside(index)) {
        Some(position) => Err(Error::OutOfRange {
            argument,
            position,
            found: indices[position].into(),
            end,
        }),
        None => Ok(()),
    }
}
