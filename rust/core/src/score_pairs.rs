//! The canonical score of given (query, item) pairs: the bits that [`crate::top_k()`] gives them.

use crate::Error;
use crate::error::reserve;
use crate::indices::check_indices;
use crate::item_index::ItemIndex;
use crate::kernel::floats::{Group, Tile};
use crate::kernel::{GROUP, Kernel, LANES};
use crate::workers::Workers;

/// Pairs that are scored as one task.
const BLOCK: usize = 4_096;

/// Score pairs of a row of `queries` (row-major, `n_queries` of them) and an item.
pub fn score_pairs(
    index: &ItemIndex,
    queries: &[f32],
    n_queries: usize,
    rows: &[i32],
    items: &[i32],
    kernel: Kernel,
    workers: &Workers,
) -> Result<Vec<f32>, Error> {
    index.check_file()?;
    index.check_queries(queries, n_queries)?;
    if rows.len() != items.len() {
        return Err(Error::Length {
            argument: "items",
            unit: "entries (one for each of rows)",
            expected: rows.len(),
            found: items.len(),
        });
    }
    check_indices("rows", rows, n_queries)?;
    check_indices("items", items, index.len())?;
    let mut scores = Vec::new();
    reserve(&mut scores, rows.len())?;
    scores.resize(rows.len(), 0.0);
    workers.share_out(
        scores.chunks_mut(BLOCK).enumerate(),
        || vec![0.0; index.dimension() * LANES],
        |packed, (block, scores)| {
            let span = block * BLOCK..block * BLOCK + scores.len();
            score_block(
                index,
                queries,
                &rows[span.clone()],
                &items[span],
                kernel,
                packed,
                scores,
            );
            Ok(())
        },
    )?;
    index.check_file()?;
    Ok(scores)
}

/// Score pairs, the longest run of one query at a time that fits a tile.
fn score_block(
    index: &ItemIndex,
    queries: &[f32],
    rows: &[i32],
    items: &[i32],
    kernel: Kernel,
    packed: &mut [f32],
    scores: &mut [f32],
) {
    let mut first = 0;
    let mut run_scores = [[0.0; LANES]; GROUP];
    while first < rows.len() {
        let same_row = rows[first..].iter().take_while(|row| **row == rows[first]);
        let run = same_row.take(LANES).count();
        // Lanes beyond the run repeat its last item; their scores are not looked at.
        let lanes: [_; LANES] =
            std::array::from_fn(|lane| index.find(items[first + lane.min(run - 1)] as u32));
        let tile = Tile {
            rows: lanes.map(|(rows, row)| rows.vector(row)),
            biases: lanes.map(|(rows, row)| rows.bias(row)),
        };
        let row = rows[first] as usize;
        let query = Group {
            queries: &queries[row * index.dimension()..(row + 1) * index.dimension()],
            floors: &[f32::NEG_INFINITY],
        };
        kernel.score_rows(&tile, &tile, query, packed, &mut run_scores);
        scores[first..first + run].copy_from_slice(&run_scores[0][..run]);
        first += run;
    }
}
