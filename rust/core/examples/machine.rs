//! What the machine can do, as one line of JSON: how fast it reads memory and how fast it
//! multiplies and adds, on one thread and on all.
//!
//! `cargo run --release --example machine`; the kernels' benchmark holds the kernels to it.

use std::hint::black_box;
use std::thread::{available_parallelism, scope};
use std::time::Instant;

/// Bytes that a pass reads, more than any cache holds.
const BYTES: usize = 1 << 30;

/// Values that are worked on side by side: 12 registers of 8, so that no sum waits for itself.
const VALUES: usize = 96;

/// Multiply-adds of each value in a pass.
const STEPS: usize = 8_000_000;

/// Passes of which the median counts, as it does for what is held to these figures.
const PASSES: usize = 9;

fn main() {
    let all = available_parallelism().map_or(1, usize::from);
    let buffer = vec![1.0_f32; BYTES / size_of::<f32>()];
    let read = |threads| {
        let part = buffer.len().div_ceil(threads);
        let parts: Vec<_> = buffer.chunks(part).collect();
        let seconds = median_pass(threads, |thread| sum(parts[thread]));
        BYTES as f64 / seconds / 1e9
    };
    let multiply_add = |threads| {
        let seconds = median_pass(threads, |_| chains(black_box(0.5)));
        (2 * VALUES * STEPS * threads) as f64 / seconds / 1e9
    };
    println!(
        "{{\"threads\": {all}, \"read_gb_s\": [{:.2}, {:.2}], \"fma_gflop_s\": [{:.1}, {:.1}]}}",
        read(1),
        read(all),
        multiply_add(1),
        multiply_add(all),
    );
}

/// The median seconds of a pass, in which every thread does its share of the work.
fn median_pass(threads: usize, work: impl Fn(usize) -> f32 + Sync) -> f64 {
    let mut seconds = [0.0; PASSES];
    for pass in &mut seconds {
        let started = Instant::now();
        scope(|scope| {
            for thread in 0..threads {
                let work = &work;
                scope.spawn(move || black_box(work(thread)));
            }
        });
        *pass = started.elapsed().as_secs_f64();
    }
    seconds.sort_by(f64::total_cmp);
    seconds[PASSES / 2]
}

/// The sum of all values: reads each of them once.
fn sum(values: &[f32]) -> f32 {
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
        // SAFETY: the machine has AVX2 and FMA.
        return unsafe { avx2::sum(values) };
    }
    plain_sum(values)
}

/// The end of chains of multiply-adds, each of which needs the last.
fn chains(factor: f32) -> f32 {
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
        // SAFETY: the machine has AVX2 and FMA.
        return unsafe { avx2::chains(factor) };
    }
    plain_chains(factor)
}

/// [`sum`] in safe code, of as many sums side by side as fill the registers.
#[inline]
fn plain_sum(values: &[f32]) -> f32 {
    let mut sums = [0.0; 32];
    let (parts, rest) = values.as_chunks::<32>();
    for part in parts {
        for (sum, value) in sums.iter_mut().zip(part) {
            *sum += value;
        }
    }
    sums.iter().chain(rest).sum()
}

/// [`chains`] in safe code.
#[inline]
fn plain_chains(factor: f32) -> f32 {
    let mut values = [1.0_f32; VALUES];
    for _ in 0..STEPS {
        for value in &mut values {
            // Without an instruction for it, a fused multiply-add is a call of a function.
            *value = if cfg!(target_arch = "aarch64") {
                value.mul_add(factor, factor)
            } else {
                *value * factor + factor
            };
        }
    }
    values.iter().sum()
}

#[cfg(target_arch = "x86_64")]
mod avx2 {
    use std::arch::x86_64::*;

    use super::{STEPS, VALUES};

    /// Values of a register.
    const WIDTH: usize = 8;

    /// Registers that are summed side by side.
    const SUMS: usize = 4;

    /// # Safety
    ///
    /// The machine has AVX2.
    #[target_feature(enable = "avx2,fma")]
    pub(super) unsafe fn sum(values: &[f32]) -> f32 {
        let mut sums = [_mm256_setzero_ps(); SUMS];
        let (parts, rest) = values.as_chunks::<{ SUMS * WIDTH }>();
        for part in parts {
            for (register, sum) in sums.iter_mut().enumerate() {
                // SAFETY: 8·register + 8 ≤ 32, the length of the part.
                let values = unsafe { _mm256_loadu_ps(part.as_ptr().add(register * WIDTH)) };
                *sum = _mm256_add_ps(*sum, values);
            }
        }
        end(&sums) + rest.iter().sum::<f32>()
    }

    /// # Safety
    ///
    /// The machine has AVX2 and FMA.
    #[target_feature(enable = "avx2,fma")]
    pub(super) unsafe fn chains(factor: f32) -> f32 {
        let factor = _mm256_set1_ps(factor);
        let mut values = [_mm256_set1_ps(1.0); VALUES / WIDTH];
        for _ in 0..STEPS {
            for value in &mut values {
                *value = _mm256_fmadd_ps(*value, factor, factor);
            }
        }
        end(&values)
    }

    /// The sum of all values of some registers.
    #[target_feature(enable = "avx2")]
    fn end(registers: &[__m256]) -> f32 {
        let mut values = [0.0; WIDTH];
        let mut total = 0.0;
        for register in registers {
            // SAFETY: `values` has 8 values.
            unsafe { _mm256_storeu_ps(values.as_mut_ptr(), *register) };
            total += values.iter().sum::<f32>();
        }
        total
    }
}
