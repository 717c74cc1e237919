//! Exact top-k over large catalogs and aggregation of attributions, without Python.
//!
//! | module | verb |
//! |---|---|
//! | [`item_index`] | build once: the catalog's vectors and biases, checked and owned |
//! | [`top_k`](mod@top_k) | the k best items of every query, fused scoring and selection |
//! | [`score_pairs`](mod@score_pairs) | the score of given (query, item) pairs |
//! | [`sum_sparse_rows`](mod@sum_sparse_rows) | what a linear model makes of histories |
//! | [`aggregate`] | contributions folded to groups, the strongest picked, importance accumulated |
//! | [`shapley`] | coalitions planned, and their values reduced to Shapley values |
//!
//! # The canonical score
//!
//! The score of query `q` and item `i` with vectors of dimension `d` is one chain of fused
//! multiply-adds in float32, in the order of the dimensions:
//!
//! ```text
//! s₀ = 0        s_{j+1} = fma(q_j, x_ij, s_j)        score = (s_d + b_i) + 0
//! ```
//!
//! Every operation rounds once, so the bits are the same for every batch, tile, thread count and
//! instruction set. The last addition turns −0 into +0: no score is a negative zero. Items are
//! ordered by score, highest first, then by index, lowest first.
//!
//! Every function takes [`Workers`], which says how many threads may work and carries the flag that
//! stops them. Results never depend on either.

#![deny(unsafe_code)]

pub mod aggregate;
pub mod error;
pub mod filters;
mod indices;
pub mod item_index;
pub mod kernel;
mod large;
pub mod ragged;
pub mod score_pairs;
mod select;
pub mod shapley;
mod sort;
pub mod sum_sparse_rows;
pub mod top_k;
pub mod workers;

pub use error::Error;
pub use filters::{Filters, ItemSets, Mask, MaskRows};
pub use item_index::ItemIndex;
pub use kernel::Kernel;
pub use ragged::Ragged;
pub use score_pairs::score_pairs;
pub use sum_sparse_rows::{SparseRows, sum_sparse_rows};
pub use top_k::{Path, Ranking, Search, Shard, merge, top_k};
pub use workers::{Workers, supervise};
