//! Canonical scores of 16 items for up to 6 queries at a time.
//!
//! Every lane of a vector register runs the canonical chain of one item, so the values of one
//! dimension of 16 items must lie side by side, though the catalog holds them row by row. For many
//! queries a tile is *packed* so once and then scored for one group of queries after the other. For
//! a few it is turned in registers on the way, which is as fast as memory can be read.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "aarch64")]
mod neon;
mod scalar;
#[cfg(test)]
mod tests;

use super::{GROUP, Kernel, Kind, LANES, for_group};

/// Queries up to which a tile is better turned on the way than packed.
pub(crate) const FEW: usize = 4;

/// The vectors and biases of 16 items.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tile<'a> {
    pub(crate) rows: [&'a [f32]; LANES],
    pub(crate) biases: [f32; LANES],
}

/// Up to 6 queries of d dimensions, and for each the floor below which scores are of no interest.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Group<'a> {
    /// `queries[n·j + q]` is dimension j of query q of n.
    pub(crate) queries: &'a [f32],
    pub(crate) floors: &'a [f32],
}

/// The scores of a tile, a row for each query of a group.
pub(crate) type Scores = [[f32; LANES]; GROUP];

/// Which lanes of a tile reached the floor, one bit a lane, for each query of a group.
///
/// The scores of a query are written only if there is such a lane.
pub(crate) type Hits = [u32; GROUP];

impl Kernel {
    /// Pack a tile: `packed[16·j + lane]` is dimension j of the item in that lane.
    ///
    /// The tile that comes next may be fetched from memory meanwhile.
    #[allow(unsafe_code)]
    #[cfg_attr(not(target_arch = "x86_64"), allow(unused_variables))]
    pub(crate) fn pack(self, tile: &Tile, next: &Tile, packed: &mut [f32]) {
        check_packed(tile, packed);
        match self.0 {
            Kind::Scalar => scalar::pack(tile, packed),
            // SAFETY: the kind exists only where AVX2 and FMA were detected, and the lengths that
            // the kernel relies on were checked.
            #[cfg(target_arch = "x86_64")]
            Kind::Avx2 => unsafe { avx2::pack(tile, next, packed) },
            #[cfg(target_arch = "aarch64")]
            Kind::Neon => scalar::pack(tile, packed),
        }
    }

    /// Score a packed tile for a group of queries.
    #[allow(unsafe_code)]
    pub(crate) fn score_packed(
        self,
        packed: &[f32],
        biases: &[f32; LANES],
        group: Group,
        scores: &mut Scores,
    ) -> Hits {
        assert_eq!(packed.len() % LANES, 0);
        check_group(group, packed.len() / LANES);
        match self.0 {
            Kind::Scalar => for_group!(
                group.floors.len(),
                scalar::score_packed(packed, biases, group, scores)
            ),
            // SAFETY: the kind exists only where AVX2 and FMA were detected, and the lengths that
            // the kernel relies on were checked.
            #[cfg(target_arch = "x86_64")]
            Kind::Avx2 => unsafe {
                for_group!(
                    group.floors.len(),
                    avx2::score_packed(packed, biases, group, scores)
                )
            },
            // SAFETY: the kind exists only where NEON was detected, and the lengths that the kernel
            // relies on were checked.
            #[cfg(target_arch = "aarch64")]
            Kind::Neon => unsafe {
                for_group!(
                    group.floors.len(),
                    neon::score_packed(packed, biases, group, scores)
                )
            },
        }
    }

    /// Score a tile for one group of queries only; `packed` is room for the tile.
    ///
    /// The tile that comes next may be fetched from memory meanwhile.
    #[allow(unsafe_code)]
    pub(crate) fn score_rows(
        self,
        tile: &Tile,
        next: &Tile,
        group: Group,
        packed: &mut [f32],
        scores: &mut Scores,
    ) -> Hits {
        check_packed(tile, packed);
        check_group(group, tile.rows[0].len());
        match self.0 {
            // SAFETY: the kind exists only where AVX2 and FMA were detected, and the lengths that
            // the kernel relies on were checked.
            #[cfg(target_arch = "x86_64")]
            Kind::Avx2 if group.floors.len() <= FEW => unsafe {
                for_group!(
                    group.floors.len(),
                    avx2::score_rows(tile, next, group, scores)
                )
            },
            _ => {
                self.pack(tile, next, packed);
                self.score_packed(packed, &tile.biases, group, scores)
            }
        }
    }
}

fn check_packed(tile: &Tile, packed: &[f32]) {
    let dimension = tile.rows[0].len();
    assert!(tile.rows.iter().all(|row| row.len() == dimension));
    assert_eq!(packed.len(), dimension * LANES);
}

fn check_group(group: Group, dimension: usize) {
    assert_eq!(group.queries.len(), dimension * group.floors.len());
}
