//! A sort that can be stopped.

use crate::Error;
use crate::workers::Workers;

/// Values that are sorted without looking up: well under a tenth of a second.
const AT_ONCE: usize = 1 << 18;

/// Sort the values, looking now and then whether to go on; equal values may change places.
pub(crate) fn sort<T: Ord + Send>(values: &mut [T], workers: &Workers) -> Result<(), Error> {
    let mut parts = Vec::new();
    split(values, &mut parts, workers)?;
    workers.share_out(
        parts.into_iter(),
        || (),
        |(), part| {
            part.sort_unstable();
            Ok(())
        },
    )?;
    Ok(())
}

/// Split the values into parts, all of one before all of the next.
fn split<'a, T: Ord>(
    values: &'a mut [T],
    parts: &mut Vec<&'a mut [T]>,
    workers: &Workers,
) -> Result<(), Error> {
    workers.go_on()?;
    if values.len() <= AT_ONCE {
        parts.push(values);
        return Ok(());
    }
    let middle = values.len() / 2;
    let (before, _, after) = values.select_nth_unstable(middle);
    split(before, parts, workers)?;
    split(after, parts, workers)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;

    #[test]
    fn many_values_are_sorted_and_the_sort_can_be_stopped() {
        let stop = AtomicBool::new(false);
        let workers = Workers::new(Some(1), &stop).unwrap();
        let mut values: Vec<u32> = (0..3 * AT_ONCE as u32)
            .map(|value| value.wrapping_mul(2_654_435_761) % 1_000_000)
            .collect();
        let mut expected = values.clone();
        expected.sort();
        assert_eq!(sort(&mut values, &workers), Ok(()));
        assert_eq!(values, expected);
        stop.store(true, Ordering::Relaxed);
        assert_eq!(sort(&mut values, &workers), Err(Error::Stopped));
    }
}
