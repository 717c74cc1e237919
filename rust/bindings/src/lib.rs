//! `whyrec._native`: the verbs of `whyrec-core` for Python.
//!
//! One file a verb: convert the arguments, release the GIL, call the core, map the error. The
//! documentation that Python users read is in `python/whyrec/_native.pyi`.

mod aggregate_rows;
mod arguments;
mod errors;
mod every_coalition;
mod exact_interactions;
mod exact_shapley;
mod fold;
mod fold_triples;
mod global_importance;
mod interaction_coalitions;
mod item_index;
mod merge;
mod paired_coalitions;
mod paired_shapley;
mod permutation_coalitions;
mod permutation_shapley;
mod plan;
mod room;
mod run;
mod sampled_interactions;
mod score_pairs;
mod strongest;
mod sum_sparse_rows;
mod top_k;

/// The boundary between whyrec and its Rust core.
#[pyo3::pymodule]
mod _native {
    #[pymodule_export]
    use crate::aggregate_rows::aggregate_rows;
    #[pymodule_export]
    use crate::every_coalition::every_coalition;
    #[pymodule_export]
    use crate::exact_interactions::exact_interactions;
    #[pymodule_export]
    use crate::exact_shapley::exact_shapley;
    #[pymodule_export]
    use crate::fold::fold;
    #[pymodule_export]
    use crate::fold_triples::fold_triples;
    #[pymodule_export]
    use crate::global_importance::global_importance;
    #[pymodule_export]
    use crate::interaction_coalitions::interaction_coalitions;
    #[pymodule_export]
    use crate::item_index::ItemIndex;
    #[pymodule_export]
    use crate::merge::merge;
    #[pymodule_export]
    use crate::paired_coalitions::paired_coalitions;
    #[pymodule_export]
    use crate::paired_shapley::paired_shapley;
    #[pymodule_export]
    use crate::permutation_coalitions::permutation_coalitions;
    #[pymodule_export]
    use crate::permutation_shapley::permutation_shapley;
    #[pymodule_export]
    use crate::plan::Plan;
    #[pymodule_export]
    use crate::sampled_interactions::sampled_interactions;
    #[pymodule_export]
    use crate::score_pairs::score_pairs;
    #[pymodule_export]
    use crate::strongest::{Strength, strongest};
    #[pymodule_export]
    use crate::sum_sparse_rows::sum_sparse_rows;
    #[pymodule_export]
    use crate::top_k::top_k;
}
