//! Keys of pending events, and a heap of them.

use crate::time::Time;

const SLOT_BITS: u32 = 24;
pub(super) const ORDER_BITS: u32 = 40;

/// How many events may be pending at once: what 24 bits of slot can tell apart.
pub const MOST_PENDING: usize = 1 << SLOT_BITS;

/// An event that may be taken back before it comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Handle(pub(super) EventKey);

/// When an event comes and where it lies: (time: 64, order: 40, slot: 24), most significant first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct EventKey(u128);

impl EventKey {
    /// After every event that there can be.
    pub(super) const NEVER: Self = Self(u128::MAX);

    #[inline]
    pub(super) fn new(time: Time, order: u64, slot: u32) -> Self {
        assert!(order < 1 << ORDER_BITS, "event order {order} does not fit in {ORDER_BITS} bits");
        Self(u128::from(time.nanos()) << 64 | u128::from(order << SLOT_BITS | u64::from(slot)))
    }

    #[inline]
    pub(super) const fn nanos(self) -> u64 {
        (self.0 >> 64) as u64
    }

    #[inline]
    pub(super) const fn time(self) -> Time {
        Time::from_nanos(self.nanos())
    }

    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "the lowest 24 bits are the slot")]
    pub(super) const fn slot(self) -> usize {
        (self.0 as u32 & ((1 << SLOT_BITS) - 1)) as usize
    }
}

/// A 4-ary min-heap of keys: half as deep as a binary one, and four keys share a cache line.
pub(super) struct KeyHeap {
    pub(super) keys: Vec<EventKey>,
}

impl KeyHeap {
    pub(super) const fn new() -> Self {
        Self { keys: Vec::new() }
    }

    #[inline]
    pub(super) fn len(&self) -> usize {
        self.keys.len()
    }

    #[inline]
    pub(super) fn first(&self) -> Option<EventKey> {
        self.keys.first().copied()
    }

    #[inline]
    pub(super) fn push(&mut self, key: EventKey) {
        let mut at = self.keys.len();
        self.keys.push(key);
        let keys = self.keys.as_mut_slice();
        while at > 0 {
            let parent = (at - 1) / 4;
            if keys[parent] <= key {
                break;
            }
            keys[at] = keys[parent];
            at = parent;
        }
        keys[at] = key;
    }

    #[inline]
    pub(super) fn pop(&mut self) -> Option<EventKey> {
        let last = self.keys.pop()?;
        let keys = self.keys.as_mut_slice();
        let Some(&first) = keys.first() else { return Some(last) };
        let mut at = 0;
        loop {
            let child = 4 * at + 1;
            let (least, key) = if let Some(&[a, b, c, d]) = keys.get(child..child + 4) {
                // A tournament rather than a scan: two comparisons deep, and without branches.
                let (ab, ab_key) = if b < a { (1, b) } else { (0, a) };
                let (cd, cd_key) = if d < c { (3, d) } else { (2, c) };
                if cd_key < ab_key { (child + cd, cd_key) } else { (child + ab, ab_key) }
            } else if child < keys.len() {
                let mut least = child;
                for other in child + 1..keys.len() {
                    if keys[other] < keys[least] {
                        least = other;
                    }
                }
                (least, keys[least])
            } else {
                break;
            };
            if last <= key {
                break;
            }
            keys[at] = key;
            at = least;
        }
        keys[at] = last;
        Some(first)
    }
}
