//! Scores of 16 items for up to 6 queries at a time: one tile.
//!
//! A tile is packed once, 16 item vectors turned so that the 16 values of a dimension lie side by
//! side, and then scored against one group of queries after the other. Each lane runs the canonical
//! chain of its own item. There is one implementation for each instruction set and a safe scalar
//! twin; all give the same bits.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "aarch64")]
mod neon;
mod scalar;

/// Items of a tile.
pub(crate) const LANES: usize = 16;

/// Queries that are scored together at most: with 16 items they fill the vector registers.
pub(crate) const GROUP: usize = 6;

/// The scores of a tile, one row for each query of a group.
pub(crate) type TileScores = [[f32; LANES]; GROUP];

/// Which of a tile's lanes reached the floor of each query, one bit a lane.
pub(crate) type Hits = [u32; GROUP];

/// The code that scores tiles. Only what the machine can run can be had.
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

    /// Turn 16 vectors of one length into a tile: `packed[16·j + lane] = rows[lane][j]`.
    pub(crate) fn pack(self, rows: &[&[f32]; LANES], packed: &mut [f32]) {
        let dimension = rows[0].len();
        assert!(rows.iter().all(|row| row.len() == dimension));
        assert_eq!(packed.len(), dimension * LANES);
        match self.0 {
            Kind::Scalar => scalar::pack(rows, packed),
            #[cfg(target_arch = "x86_64")]
            // SAFETY: the kind is made only where AVX2 and FMA were detected; the lengths that the
            // kernel relies on were asserted above.
            #[allow(unsafe_code)]
            Kind::Avx2 => unsafe { avx2::pack(rows, packed) },
            #[cfg(target_arch = "aarch64")]
            Kind::Neon => scalar::pack(rows, packed),
        }
    }

    /// Score a packed tile for a group of queries.
    ///
    /// The group is packed too: `group[n·j + q]` is dimension j of its q-th query, n the number of
    /// queries. Scores of a query are written only if one of them reached its floor, as its hits
    /// tell.
    pub(crate) fn score(
        self,
        packed: &[f32],
        biases: &[f32; LANES],
        group: &[f32],
        floors: &[f32],
        scores: &mut TileScores,
    ) -> Hits {
        match floors.len() {
            1 => self.score_group::<1>(packed, biases, group, floors, scores),
            2 => self.score_group::<2>(packed, biases, group, floors, scores),
            3 => self.score_group::<3>(packed, biases, group, floors, scores),
            4 => self.score_group::<4>(packed, biases, group, floors, scores),
            5 => self.score_group::<5>(packed, biases, group, floors, scores),
            6 => self.score_group::<6>(packed, biases, group, floors, scores),
            other => unreachable!("a group has 1 to {GROUP} queries, not {other}"),
        }
    }

    fn score_group<const QUERIES: usize>(
        self,
        packed: &[f32],
        biases: &[f32; LANES],
        group: &[f32],
        floors: &[f32],
        scores: &mut TileScores,
    ) -> Hits {
        let dimension = packed.len() / LANES;
        assert_eq!(packed.len(), dimension * LANES);
        assert_eq!(group.len(), dimension * QUERIES);
        assert_eq!(floors.len(), QUERIES);
        match self.0 {
            Kind::Scalar => scalar::score::<QUERIES>(packed, biases, group, floors, scores),
            #[cfg(target_arch = "x86_64")]
            // SAFETY: the kind is made only where AVX2 and FMA were detected; the lengths that the
            // kernel relies on were asserted above.
            #[allow(unsafe_code)]
            Kind::Avx2 => unsafe { avx2::score::<QUERIES>(packed, biases, group, floors, scores) },
            #[cfg(target_arch = "aarch64")]
            // SAFETY: the kind is made only where NEON was detected; the lengths that the kernel
            // relies on were asserted above.
            #[allow(unsafe_code)]
            Kind::Neon => unsafe { neon::score::<QUERIES>(packed, biases, group, floors, scores) },
        }
    }
}

#[cfg(test)]
mod tests;
