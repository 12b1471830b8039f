//! Numbers from a seed, the same in every run: for faults by chance (`docs/testing.md`), never for a secret. Pure.

use std::time::Duration;

/// A die with as many sides as one asks for.
#[derive(Clone, Debug)]
pub struct Dice(u64);

impl Default for Dice {
    /// Of some seed, always that one.
    fn default() -> Dice {
        Dice::new(1)
    }
}

impl Dice {
    /// The same seed gives the same numbers.
    pub fn new(seed: u64) -> Dice {
        let mut dice = Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        // Seeds that lie close to each other begin alike.
        for _ in 0..3 {
            dice.below(2);
        }
        dice
    }

    /// From 0 to `limit` - 1.
    pub fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % limit.max(1)
    }

    /// True once in so many times.
    pub fn one_in(&mut self, times: u64) -> bool {
        self.below(times) == 0
    }

    /// One of these, which must not be none.
    pub fn pick<T: Clone>(&mut self, from: &[T]) -> T {
        let at = usize::try_from(self.below(from.len() as u64)).unwrap_or(0);
        from[at].clone()
    }

    /// Between these, in milliseconds.
    pub fn time(&mut self, least: u64, most: u64) -> Duration {
        Duration::from_millis(least + self.below(most.saturating_sub(least)))
    }
}
