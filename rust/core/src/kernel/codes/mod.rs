//! Which items may reach a floor, told from int8 codes: sixteen multiply-adds an instruction.
//!
//! A block holds up to 16 tiles. In a tile the codes of two dimensions of its 16 items lie side by
//! side, so that one multiplication of int16 takes two dimensions of eight items. The sum of an item
//! is exact in int32. It is then taken to a float and compared, three roundings later, with what it
//! must reach; the codes of the index say why no item that reaches the floor is ever missed.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "aarch64")]
mod neon;
mod scalar;
#[cfg(test)]
mod tests;

use super::{GROUP, Kernel, Kind, LANES, for_group};

/// Tiles of a block.
pub(crate) const TILES: usize = 16;

/// Items of a block.
pub(crate) const BLOCK: usize = TILES * LANES;

/// Codes of a tile that belong to one pair of dimensions.
pub(crate) const STEP: usize = 2 * LANES;

/// The codes of up to 16 tiles.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Block<'a> {
    /// `codes[((tile·pairs + p)·16 + lane)·2 + h]` is dimension 2p + h of the item in that lane.
    pub(crate) codes: &'a [i8],
    /// What a code of the item counts, as bfloat16; 16 a tile.
    pub(crate) scales: &'a [u16],
    /// No less than the bias of the item, as bfloat16; 16 a tile, or none where all are 0.
    pub(crate) biases: &'a [u16],
}

/// Up to 6 queries, as codes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Queries<'a> {
    /// `pairs[n·p + q]` holds dimensions 2p (low half) and 2p + 1 of query q of n, as int16.
    pub(crate) pairs: &'a [i32],
    /// What is added to the sum of every item, by query.
    pub(crate) starts: &'a [i32],
    /// What a code of the query counts.
    pub(crate) scales: &'a [f32],
    /// What (start + sum) · item scale · query scale + bias must reach.
    pub(crate) floors: &'a [f32],
}

/// The lanes of each tile that may reach the floor, one bit a lane, for each query.
pub(crate) type Reached = [[u16; TILES]; GROUP];

impl Kernel {
    /// Say which items of a block may reach the floors of a group of queries; true if any may.
    ///
    /// Of `reached` the tiles of the block are written for each query of the group.
    #[allow(unsafe_code)]
    pub(crate) fn reach(self, block: &Block, queries: &Queries, reached: &mut Reached) -> bool {
        let members = queries.floors.len();
        let tiles = block.scales.len() / LANES;
        assert!(tiles <= TILES && block.scales.len() == tiles * LANES);
        assert!(block.biases.is_empty() || block.biases.len() == tiles * LANES);
        assert_eq!(queries.pairs.len() % members, 0);
        let pairs = queries.pairs.len() / members;
        assert_eq!(block.codes.len(), tiles * pairs * STEP);
        assert_eq!(queries.starts.len(), members);
        assert_eq!(queries.scales.len(), members);
        match self.0 {
            Kind::Scalar => for_group!(members, scalar::reach(block, queries, reached)),
            // SAFETY: the kind exists only where AVX2 and FMA were detected, and the lengths that
            // the kernel relies on were checked.
            #[cfg(target_arch = "x86_64")]
            Kind::Avx2 => unsafe { for_group!(members, avx2::reach(block, queries, reached)) },
            // SAFETY: the kind exists only where NEON was detected, and the lengths that the kernel
            // relies on were checked.
            #[cfg(target_arch = "aarch64")]
            Kind::Neon => unsafe { for_group!(members, neon::reach(block, queries, reached)) },
        }
    }
}

/// The number that a bfloat16 stands for.
pub(crate) fn from_bfloat(bits: u16) -> f32 {
    f32::from_bits(u32::from(bits) << 16)
}
