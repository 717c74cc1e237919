//! `whyrec._native`: the verbs of `whyrec-core` for Python.
//!
//! One file a verb: convert the arguments, release the GIL, call the core, map the error. The
//! documentation that Python users read is in `python/whyrec/_native.pyi`.

mod aggregate_rows;
mod arguments;
mod errors;
mod fold;
mod fold_triples;
mod global_importance;
mod item_index;
mod room;
mod run;
mod score_pairs;
mod strongest;
mod top_k;

/// The boundary between whyrec and its Rust core.
#[pyo3::pymodule]
mod _native {
    #[pymodule_export]
    use crate::aggregate_rows::aggregate_rows;
    #[pymodule_export]
    use crate::fold::fold;
    #[pymodule_export]
    use crate::fold_triples::fold_triples;
    #[pymodule_export]
    use crate::global_importance::global_importance;
    #[pymodule_export]
    use crate::item_index::ItemIndex;
    #[pymodule_export]
    use crate::score_pairs::score_pairs;
    #[pymodule_export]
    use crate::strongest::{Strength, strongest};
    #[pymodule_export]
    use crate::top_k::top_k;
}
