//! Values that are owned, or mapped from a file.

#![allow(unsafe_code)]

use std::fs::File;
use std::ops::{Deref, Range};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;

use bytemuck::Pod;
use memmap2::Mmap;

use crate::Error;
use crate::large::Large;

/// Values of one kind.
#[derive(Debug)]
pub(super) enum Buffer<T: Pod> {
    Owned(Large<T>),
    Mapped {
        mapping: Arc<Mapping>,
        bytes: Range<usize>,
    },
}

impl<T: Pod> Buffer<T> {
    /// Zeros, to be written; memory is made when it is first touched.
    pub(super) fn zeros(count: usize) -> Result<Self, Error> {
        Large::zeros(count).map(Self::Owned)
    }

    /// The values of a buffer that is owned.
    pub(super) fn as_mut(&mut self) -> &mut [T] {
        match self {
            Self::Owned(values) => values,
            Self::Mapped { .. } => unreachable!("what is mapped from a file is never written"),
        }
    }
}

impl<T: Pod> From<Vec<T>> for Buffer<T> {
    fn from(values: Vec<T>) -> Self {
        Self::Owned(Large::Few(values))
    }
}

impl<T: Pod> Deref for Buffer<T> {
    type Target = [T];

    #[inline]
    fn deref(&self) -> &[T] {
        match self {
            Self::Owned(values) => values,
            // Sections begin at multiples of 64 bytes and hold whole values: the cast never fails.
            Self::Mapped { mapping, bytes, .. } => {
                bytemuck::cast_slice(&mapping.map[bytes.clone()])
            }
        }
    }
}

/// A file in memory, and what it was when it was mapped.
#[derive(Debug)]
pub(super) struct Mapping {
    map: Mmap,
    file: File,
    path: PathBuf,
    length: u64,
    modified: Option<SystemTime>,
}

impl Mapping {
    /// Map a file that is open for reading.
    pub(super) fn new(file: File, path: PathBuf) -> std::io::Result<Self> {
        let metadata = file.metadata()?;
        // SAFETY: the map is only read, as bytes and numbers of which every pattern is one. Others
        // could write to the file or cut it short; `check` is asked before and after each call, and
        // what a file holds is never trusted to be an index before it is compared with its range.
        let map = unsafe { Mmap::map(&file)? };
        Ok(Self {
            map,
            file,
            path,
            length: metadata.len(),
            modified: metadata.modified().ok(),
        })
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.map
    }

    pub(super) fn path(&self) -> &PathBuf {
        &self.path
    }

    /// Fail if the file has been altered since it was mapped.
    pub(super) fn check(&self) -> Result<(), Error> {
        let reason = match self.file.metadata() {
            Ok(now) if now.len() != self.length => format!(
                "it had {} bytes when it was opened and has {} now; open it again",
                self.length,
                now.len()
            ),
            Ok(now) if now.modified().ok() != self.modified => {
                "it was written to after it had been opened; open it again".to_owned()
            }
            Ok(_) => return Ok(()),
            Err(error) => error.to_string(),
        };
        Err(Error::file(&self.path, reason))
    }
}
