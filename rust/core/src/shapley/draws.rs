//! Random numbers: one stream a draw, the same on every machine.
//!
//! The generator is ChaCha with 8 rounds, of `rand_chacha`, whose numbers are promised to stay the
//! same. It takes a key of 256 bits and the number of a stream, and begins any stream at once: so
//! draws are made in any order, none is repeated, and no two of them share numbers. What is made of
//! its 32-bit numbers is written here, since the distributions of `rand` may change with a version.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// The streams of all draws of one kind for one game.
#[derive(Debug, Clone)]
pub(super) struct Stream(ChaCha8Rng);

/// The random numbers of one draw.
#[derive(Debug)]
pub(super) struct Draw(ChaCha8Rng);

impl Stream {
    pub(super) fn new(seed: u64, key: i64, kind: &[u8; 8]) -> Self {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&seed.to_le_bytes());
        bytes[8..16].copy_from_slice(&key.to_le_bytes());
        bytes[16..24].copy_from_slice(kind);
        Self(ChaCha8Rng::from_seed(bytes))
    }

    pub(super) fn draw(&self, number: u64) -> Draw {
        let mut generator = self.0.clone();
        generator.set_stream(number);
        Draw(generator)
    }
}

impl Draw {
    /// A whole number less than `end`, each as likely as any other.
    ///
    /// Source: D. Lemire, Fast Random Integer Generation in an Interval, 2019.
    pub(super) fn below(&mut self, end: u32) -> u32 {
        loop {
            let wide = u64::from(self.0.next_u32()) * u64::from(end);
            let low = wide as u32;
            // Of the 2³² numbers, 2³² mod end are too many to be shared out evenly.
            if low >= end || low >= end.wrapping_neg() % end {
                return (wide >> 32) as u32;
            }
        }
    }

    /// A number from 0 to 1, without 1: a multiple of 2⁻⁵³.
    pub(super) fn unit(&mut self) -> f64 {
        (self.0.next_u64() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Put `chosen` of the numbers 0..n, uniformly drawn and in random order, first in `order`.
    pub(super) fn choose(&mut self, order: &mut Vec<u32>, n: usize, chosen: usize) {
        order.clear();
        order.extend(0..n as u32);
        for place in 0..chosen.min(n.saturating_sub(1)) {
            order.swap(place, place + self.below((n - place) as u32) as usize);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_of_a_draw_are_pinned() {
        let mut draw = Stream::new(1, -2, b"pinned\0\0").draw(3);
        let (mut order, ends) = (Vec::new(), [1, 2, 10, 1_000, u32::MAX]);
        let numbers = ends.map(|end| draw.below(end));
        let unit = draw.unit();
        draw.choose(&mut order, 8, 8);
        assert_eq!(numbers, [0, 1, 4, 23, 2_972_244_636]);
        assert_eq!(unit, 0.6143593990165835);
        assert_eq!(order, [7, 2, 6, 1, 4, 0, 3, 5]);
    }

    #[test]
    fn seed_key_kind_and_number_each_change_the_stream() {
        let first = |seed, key, kind, number| Stream::new(seed, key, kind).draw(number).unit();
        let streams = [
            first(0, 0, b"a\0\0\0\0\0\0\0", 0),
            first(1, 0, b"a\0\0\0\0\0\0\0", 0),
            first(0, 1, b"a\0\0\0\0\0\0\0", 0),
            first(0, 0, b"b\0\0\0\0\0\0\0", 0),
            first(0, 0, b"a\0\0\0\0\0\0\0", 1),
            first(0, 0, b"a\0\0\0\0\0\0\0", u64::MAX),
        ];
        for (place, one) in streams.iter().enumerate() {
            assert!(streams[..place].iter().all(|other| other != one));
        }
    }

    #[test]
    fn numbers_below_an_end_are_equally_likely() {
        // With 3 · 2³⁰ as the end, every third number would come twice as often as the others if all
        // 2³² were shared out.
        let end = 3 << 30;
        let stream = Stream::new(0, 0, b"uniform\0");
        let thirds = (0..30_000).fold([0_i32; 3], |mut counts, number| {
            counts[(stream.draw(number).below(end) % 3) as usize] += 1;
            counts
        });
        // 10,000 each, with a standard deviation of 82.
        assert!(thirds.iter().all(|count| (count - 10_000).abs() < 5 * 82));
    }

    #[test]
    fn all_orders_are_equally_likely() {
        let stream = Stream::new(0, 0, b"orders\0\0");
        let (mut order, mut counts) = (Vec::new(), [0_i32; 27]);
        for number in 0..60_000 {
            stream.draw(number).choose(&mut order, 3, 3);
            counts[order
                .iter()
                .fold(0, |code, &player| 3 * code + player as usize)] += 1;
        }
        // 10,000 for each of 6 orders, with a standard deviation of 91.
        let met: Vec<_> = counts.iter().filter(|count| **count > 0).collect();
        assert_eq!(met.len(), 6);
        assert!(met.iter().all(|count| (**count - 10_000).abs() < 5 * 91));
    }
}
