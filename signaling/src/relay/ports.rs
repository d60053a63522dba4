//! Which relayed ports are taken.

use std::ops::RangeInclusive;

/// The ports of one relayed address, one bit each.
#[derive(Debug)]
pub struct Ports {
    first: u16,
    count: u32,
    taken: Vec<u64>,
    free: u32,
}

impl Ports {
    /// All ports of the range are free.
    pub fn new(range: &RangeInclusive<u16>) -> Self {
        let count = u32::from(*range.end()).saturating_sub(u32::from(*range.start())) + u32::from(!range.is_empty());
        Self { first: *range.start(), count, taken: vec![0; count.div_ceil(64) as usize], free: count }
    }

    /// Takes a free port, searching from a random place so that ports cannot be foretold.
    pub fn take(&mut self, random: u64) -> Option<u16> {
        if self.free == 0 {
            return None;
        }
        let index = self.search(random).find(|index| !self.is_taken(*index))?;
        Some(self.set(index))
    }

    /// Takes a free even port whose odd neighbour is free as well; the neighbour is taken too if it is `reserve`d.
    pub fn take_even(&mut self, random: u64, reserve: bool) -> Option<u16> {
        let even = |index: &u32| (u32::from(self.first) + index).is_multiple_of(2);
        let index = self.search(random).filter(even).find(|index| {
            !self.is_taken(*index) && (!reserve || index + 1 < self.count && !self.is_taken(index + 1))
        })?;
        if reserve {
            self.set(index + 1);
        }
        Some(self.set(index))
    }

    /// Gives a port back. A port that was not taken, or is not of the range, is ignored.
    pub fn give_back(&mut self, port: u16) {
        let Some(index) = port.checked_sub(self.first).map(u32::from).filter(|index| *index < self.count) else {
            return;
        };
        if self.is_taken(index) {
            self.taken[index as usize / 64] &= !(1 << (index % 64));
            self.free += 1;
        }
    }

    /// How many ports are free.
    pub fn free(&self) -> u32 {
        self.free
    }

    fn search(&self, random: u64) -> impl Iterator<Item = u32> + use<> {
        let count = self.count;
        let start = u32::try_from(random % u64::from(count.max(1))).unwrap_or_default();
        (start..count).chain(0..start)
    }

    fn is_taken(&self, index: u32) -> bool {
        self.taken[index as usize / 64] & (1 << (index % 64)) != 0
    }

    fn set(&mut self, index: u32) -> u16 {
        self.taken[index as usize / 64] |= 1 << (index % 64);
        self.free -= 1;
        self.first + u16::try_from(index).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_port_is_given_out_once_and_can_come_back() {
        let mut ports = Ports::new(&(65_500..=65_535));
        let mut seen: Vec<u16> =
            std::iter::successors(Some(0_u64), |n| Some(n + 77)).map_while(|n| ports.take(n)).collect();
        seen.sort_unstable();
        assert_eq!(seen, (65_500..=65_535).collect::<Vec<_>>());
        ports.give_back(65_510);
        ports.give_back(65_510);
        ports.give_back(1);
        assert_eq!((ports.free(), ports.take(3), ports.take(3)), (1, Some(65_510), None));
    }

    #[test]
    fn a_reserved_neighbour_is_not_given_to_another() {
        let mut ports = Ports::new(&(101..=104));
        assert_eq!(ports.take_even(0, true), Some(102));
        assert_eq!(ports.take_even(0, true), None, "105 is not in the range");
        assert_eq!(ports.take_even(0, false), Some(104));
        assert_eq!((ports.take(9), ports.take(9)), (Some(101), None));
    }
}
