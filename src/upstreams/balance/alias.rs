//! Drawing by weight in constant time: the alias method (Walker 1977, Vose 1991).

/// Shares of so many things, ready to be drawn from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Alias(Box<[Slot]>);

/// A slot stands for one thing up to a threshold, and for another beyond.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Slot {
    own: u32,
    other: u32,
}

impl Alias {
    /// From shares, of which at least one is above zero; `None` when they are all the same.
    pub(super) fn of(shares: &[f64]) -> Option<Self> {
        let total: f64 = shares.iter().sum();
        if total <= 0.0 || shares.iter().all(|share| (share - shares[0]).abs() < f64::EPSILON) {
            return None;
        }
        let mean = total / shares.len() as f64;
        let mut left: Vec<f64> = shares.iter().map(|share| share / mean).collect();
        let (mut small, mut large): (Vec<usize>, Vec<usize>) = (0..shares.len()).partition(|at| left[*at] < 1.0);
        let mut slots: Vec<Slot> = (0..shares.len()).map(|at| Slot { own: u32::MAX, other: place(at) }).collect();
        while let (Some(poor), Some(rich)) = (small.pop(), large.pop()) {
            slots[poor] = Slot { own: (left[poor] * f64::from(u32::MAX)) as u32, other: place(rich) };
            left[rich] -= 1.0 - left[poor];
            if left[rich] < 1.0 { small.push(rich) } else { large.push(rich) }
        }
        Some(Self(slots.into()))
    }

    /// The one that a number stands for, which is evenly spread over all that 64 bits can hold.
    pub(super) fn draw(&self, number: u64) -> usize {
        let (at, within) = split(number, self.0.len());
        let slot = self.0[at];
        if within < slot.own { at } else { slot.other as usize }
    }
}

/// Which of so many equal parts a number falls in, and where in it.
pub(super) fn split(number: u64, parts: usize) -> (usize, u32) {
    let product = u128::from(number) * parts as u128;
    ((product >> 64) as usize, (product >> 32) as u32)
}

fn place(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(shares: &[f64], draws: u64) -> Vec<f64> {
        let alias = Alias::of(shares).unwrap();
        let mut counts = vec![0.0; shares.len()];
        (0..draws).for_each(|draw| counts[alias.draw(draw.wrapping_mul(0x9e37_79b9_7f4a_7c15))] += 1.0);
        counts
    }

    #[test]
    fn everyone_is_drawn_as_often_as_its_share_says() {
        for shares in [vec![3.0, 1.0], vec![1.0, 0.0, 1.0], vec![1000.0, 1.0, 1.0, 1.0], (1..=100).map(f64::from).collect()] {
            let total: f64 = shares.iter().sum();
            for (count, share) in drawn(&shares, 100_000).iter().zip(&shares) {
                assert!((count - 100_000.0 * share / total).abs() < 40.0, "{count} of share {share} in {shares:?}");
            }
        }
    }

    #[test]
    fn who_has_no_share_is_never_drawn() {
        assert_eq!(drawn(&[0.0, 5.0, 0.0], 100_000)[0], 0.0);
        assert_eq!(drawn(&[0.0, 5.0, 0.0], 100_000)[2], 0.0);
    }

    #[test]
    fn equal_shares_need_no_table() {
        assert_eq!(Alias::of(&[2.0, 2.0, 2.0]), None);
        assert_eq!(Alias::of(&[0.0, 0.0]), None);
    }
}
