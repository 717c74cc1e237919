//! The same code for each instruction set that it pays for.

#![allow(unsafe_code)]

use super::block::{Block, Part, Scratch};
use super::plan::Plan;
use super::{Contribution, Rows};
use crate::Error;
use crate::workers::Workers;

/// The code that aggregates rows; only what the machine can run can be had.
///
/// There is one source for all: compiled for wider registers it takes more rows at once. No
/// operation is fused or put in another order, so the bits are the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RowKernel(Kind);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Scalar,
    #[cfg(target_arch = "x86_64")]
    Avx2,
}

impl RowKernel {
    /// The fastest that this machine runs.
    pub fn fastest() -> Self {
        #[cfg(target_arch = "x86_64")]
        if is_x86_feature_detected!("avx2") {
            return Self(Kind::Avx2);
        }
        Self::scalar()
    }

    /// What every machine of the target runs.
    pub fn scalar() -> Self {
        Self(Kind::Scalar)
    }

    pub(super) fn aggregate<T: Contribution>(
        self,
        block: &mut Block,
        rows: &Rows<T>,
        plan: &Plan,
        scratch: &mut Scratch,
        workers: &Workers,
    ) -> Result<Part, Error> {
        match self.0 {
            Kind::Scalar => block.aggregate(rows, plan, scratch, workers),
            // SAFETY: the kind exists only where AVX2 was detected.
            #[cfg(target_arch = "x86_64")]
            Kind::Avx2 => unsafe { avx2(block, rows, plan, scratch, workers) },
        }
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn avx2<T: Contribution>(
    block: &mut Block,
    rows: &Rows<T>,
    plan: &Plan,
    scratch: &mut Scratch,
    workers: &Workers,
) -> Result<Part, Error> {
    block.aggregate(rows, plan, scratch, workers)
}
