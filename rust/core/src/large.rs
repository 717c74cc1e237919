//! Numbers in huge pages, where they are many and the system has such pages.

use std::ops::{Deref, DerefMut};

use bytemuck::Pod;
use memmap2::MmapMut;

use crate::Error;
use crate::error::zeros;

/// Bytes from which on memory had better come in huge pages: they are made faster, and what is read
/// here and there is found faster.
const LARGE: usize = 1 << 22;

/// Numbers that are owned.
#[derive(Debug)]
pub(crate) enum Large<T: Pod> {
    Few(Vec<T>),
    /// Memory of whole pages, all of it numbers.
    Pages(MmapMut),
}

impl<T: Pod> Large<T> {
    /// Zeros, to be written; memory is made when it is first touched.
    pub(crate) fn zeros(count: usize) -> Result<Self, Error> {
        let bytes = count.saturating_mul(size_of::<T>());
        if cfg!(target_os = "linux") && bytes >= LARGE {
            let pages = MmapMut::map_anon(bytes).map_err(|_| Error::OutOfMemory { bytes })?;
            // Without huge pages all is as it was, only slower.
            #[cfg(target_os = "linux")]
            let _ = pages.advise(memmap2::Advice::HugePage);
            return Ok(Self::Pages(pages));
        }
        zeros(count).map(Self::Few)
    }
}

impl<T: Pod> Deref for Large<T> {
    type Target = [T];

    #[inline]
    fn deref(&self) -> &[T] {
        match self {
            Self::Few(values) => values,
            Self::Pages(pages) => bytemuck::cast_slice(pages),
        }
    }
}

impl<T: Pod> DerefMut for Large<T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut [T] {
        match self {
            Self::Few(values) => values,
            Self::Pages(pages) => bytemuck::cast_slice_mut(pages),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_and_many_are_zeros_that_can_be_written() {
        for count in [0, 3, LARGE / 8 + 1] {
            let mut numbers = Large::<f64>::zeros(count).unwrap();
            assert_eq!(numbers.len(), count);
            assert!(numbers.iter().all(|number| *number == 0.0));
            if let Some(last) = numbers.last_mut() {
                *last = 1.0;
            }
            assert_eq!(numbers.iter().sum::<f64>(), f64::from(count.min(1) as u32));
        }
    }

    #[test]
    fn more_than_the_machine_has_is_refused() {
        assert!(Large::<u64>::zeros(usize::MAX / 2).is_err());
    }
}
