//! The code that does the counting, for each instruction set, with a safe scalar twin.
//!
//! Items come in *tiles* of 16. `floats` gives their canonical scores; `codes` tells, from int8
//! codes, which of them may reach a floor. All instruction sets give the same bits.

pub(crate) mod codes;
mod fetch;
pub(crate) mod floats;

pub(crate) use fetch::fetch;

/// Items of a tile.
pub(crate) const LANES: usize = 16;

/// Queries that are scored together at most: with 16 items they fill the vector registers.
pub(crate) const GROUP: usize = 6;

/// The code that scores tiles; only what the machine can run can be had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kernel(Kind);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Scalar,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    #[cfg(target_arch = "aarch64")]
    Neon,
}

/// Call a function that is generic over the number of queries in a group.
macro_rules! for_group {
    ($queries:expr, $($function:ident)::+ ($($argument:expr),*)) => {
        match $queries {
            1 => $($function)::+::<1>($($argument),*),
            2 => $($function)::+::<2>($($argument),*),
            3 => $($function)::+::<3>($($argument),*),
            4 => $($function)::+::<4>($($argument),*),
            5 => $($function)::+::<5>($($argument),*),
            6 => $($function)::+::<6>($($argument),*),
            other => unreachable!("a group has 1 to {} queries, not {other}", $crate::kernel::GROUP),
        }
    };
}
use for_group;

impl Kernel {
    /// The fastest that this machine runs.
    pub fn fastest() -> Self {
        #[cfg(target_arch = "x86_64")]
        if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
            return Self(Kind::Avx2);
        }
        #[cfg(target_arch = "aarch64")]
        if std::arch::is_aarch64_feature_detected!("neon") {
            return Self(Kind::Neon);
        }
        Self::scalar()
    }

    /// The safe twin that the others are held to; slow where the target has no fused multiply-add.
    pub fn scalar() -> Self {
        Self(Kind::Scalar)
    }
}
