//! The event queue: what happens next, by (time, order).
//!
//! Two implementations of one contract. [`HeapQueue`] is the plain one; [`CalendarQueue`] is the fast one, whose
//! cost hardly grows with the number of pending events. Both give exactly the same order, so a run has the same
//! digest through either.
//!
//! What is queued moves as a 128-bit key of (time: 64, order: 40, slot: 24 bits): one integer comparison decides,
//! and an event's payload is written once, into a slab, and read once. The slot never decides anything, because
//! (time, order) is unique.
//!
//! The calendar keeps the near future in unsorted buckets of time and sorts a bucket when its turn comes, so an
//! event costs one append and its share of one small sort. Where its guesses fail (everything at one instant,
//! densities that change by the billion), it degrades to a sort or to a heap, never to anything quadratic:
//!
//! | an event falls | it goes to | at a cost of |
//! |---|---|---|
//! | in the bucket whose turn it is | its place in the sorted run, moving the shorter side | at most 512 keys moved |
//! | there, but further than that from both ends | a small heap beside the run | log n |
//! | within the calendar | the end of its bucket | 1 |
//! | beyond the calendar | a heap of the far future | log n |

use std::mem;

use crate::time::Time;

/// Pending events, ordered by (time, order).
///
/// `order` is below 2^40 and unique among the events of one time; no event is pushed at a time before that of
/// the last one popped.
pub trait EventQueue<T> {
    /// A queue of nothing; it allocates when something is pushed.
    #[must_use]
    fn new() -> Self;

    /// Adds an event.
    ///
    /// # Panics
    ///
    /// When 2^24 events are pending already, or when `order` is 2^40 or more.
    fn push(&mut self, time: Time, order: u64, item: T);

    /// Takes the first event.
    fn pop(&mut self) -> Option<(Time, T)>;

    /// The time of the first event; the queue may sort itself to find out.
    fn next_time(&mut self) -> Option<Time>;

    /// How many events are pending.
    #[must_use]
    fn len(&self) -> usize;

    /// Whether nothing is pending.
    #[must_use]
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

const SLOT_BITS: u32 = 24;
const ORDER_BITS: u32 = 40;

/// (time: 64, order: 40, slot: 24), most significant first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Key(u128);

impl Key {
    #[inline]
    fn new(time: Time, order: u64, slot: u32) -> Self {
        assert!(order < 1 << ORDER_BITS, "event order {order} does not fit in {ORDER_BITS} bits");
        Self(u128::from(time.nanos()) << 64 | u128::from(order << SLOT_BITS | u64::from(slot)))
    }

    #[inline]
    const fn nanos(self) -> u64 {
        (self.0 >> 64) as u64
    }

    #[inline]
    const fn time(self) -> Time {
        Time::from_nanos(self.nanos())
    }

    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "the lowest 24 bits are the slot")]
    const fn slot(self) -> usize {
        (self.0 as u32 & ((1 << SLOT_BITS) - 1)) as usize
    }
}

/// The payloads; the slot freed last is used first, while it is still in the cache.
struct Slab<T> {
    items: Vec<Option<T>>,
    free: Vec<u32>,
}

impl<T> Slab<T> {
    const fn new() -> Self {
        Self { items: Vec::new(), free: Vec::new() }
    }

    #[inline]
    fn insert(&mut self, item: T) -> u32 {
        if let Some(slot) = self.free.pop() {
            self.items[slot as usize] = Some(item);
            slot
        } else {
            self.extend(item)
        }
    }

    #[cold]
    fn extend(&mut self, item: T) -> u32 {
        let slot = self.items.len();
        assert!(
            slot < 1 << SLOT_BITS,
            "too many pending events: {slot}, the event queue has no more slots"
        );
        if self.items.capacity() == 0 {
            // The first few doublings would otherwise be most of what a run of one write allocates.
            self.items.reserve(32);
            self.free.reserve(32);
        }
        self.items.push(Some(item));
        #[expect(clippy::cast_possible_truncation, reason = "checked above")]
        {
            slot as u32
        }
    }

    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "slots have 24 bits")]
    fn take(&mut self, slot: usize) -> T {
        let item = self.items[slot].take().expect("a queued key's slot is full");
        self.free.push(slot as u32);
        item
    }

    fn len(&self) -> usize {
        self.items.len() - self.free.len()
    }
}

/// A 4-ary min-heap of keys: half as deep as a binary one, and four keys share a cache line.
struct KeyHeap {
    keys: Vec<Key>,
}

impl KeyHeap {
    const fn new() -> Self {
        Self { keys: Vec::new() }
    }

    #[inline]
    fn len(&self) -> usize {
        self.keys.len()
    }

    #[inline]
    fn first(&self) -> Option<Key> {
        self.keys.first().copied()
    }

    #[inline]
    fn push(&mut self, key: Key) {
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
    fn pop(&mut self) -> Option<Key> {
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

/// The plain queue: one heap of keys beside the slab.
pub struct HeapQueue<T> {
    heap: KeyHeap,
    slab: Slab<T>,
    /// The time of the last event popped.
    now: Time,
}

impl<T> EventQueue<T> for HeapQueue<T> {
    fn new() -> Self {
        Self { heap: KeyHeap::new(), slab: Slab::new(), now: Time::ZERO }
    }

    #[inline]
    fn push(&mut self, time: Time, order: u64, item: T) {
        debug_assert!(time >= self.now, "an event at {time} pushed at {}", self.now);
        let slot = self.slab.insert(item);
        self.heap.push(Key::new(time, order, slot));
    }

    #[inline]
    fn pop(&mut self) -> Option<(Time, T)> {
        let key = self.heap.pop()?;
        self.now = key.time();
        Some((key.time(), self.slab.take(key.slot())))
    }

    #[inline]
    fn next_time(&mut self) -> Option<Time> {
        self.heap.first().map(Key::time)
    }

    fn len(&self) -> usize {
        self.heap.len()
    }
}

/// How many events a bucket should hold, least and most: fewer cost more turns, more cost more sorting.
const BUCKET: (usize, usize) = (4, 128);
/// From about as many buckets on, the buckets rather grow: these still fit in the second-level cache.
const CACHED: usize = 1024;
/// Up to this many pending events are kept in one sorted run, with no calendar at all.
const SPLIT: usize = 10;
/// At this many or fewer the calendar is given up again; well below `SPLIT`, so that a load between the two does
/// not build it and give it up all the time.
const CALM: usize = 4;
/// What the run may grow to beside a calendar, or to twice what it began with, before narrower buckets are tried.
const CROWD: usize = 32;
/// The most keys that an insertion into the run may move.
const FAR: usize = 512;
/// The bounds of the number of buckets, powers of two; the lower is the bits of one word of the occupancy map.
const BUCKETS: (usize, usize) = (64, 1 << 16);
/// The day of the run when there is no calendar: every event belongs to the run.
const FOREVER: u64 = u64::MAX;

/// The fast queue: sorted on arrival of the bucket's turn.
///
/// Time is cut into days of 2^`shift` nanoseconds. The run holds what is pending of `today` and before, sorted;
/// the days after it have a bucket each, in a ring; what is later than the ring reaches is in the heap `far`.
/// The width of a day and the number of buckets follow the density of pending events, see `rebuild`.
pub struct CalendarQueue<T> {
    /// Ascending from `head` on; what is before `head` is gone.
    run: Vec<Key>,
    head: usize,
    /// Events of the run's days that would have been too far from either of its ends to be inserted there.
    late: KeyHeap,
    today: u64,
    shift: u32,
    /// The bucket of day d is d modulo their number; only days today + 1 .. today + number are in them.
    buckets: Vec<Vec<Key>>,
    /// A bit a bucket: set when it holds something.
    occupied: Vec<u64>,
    /// Days from today + number of buckets on.
    far: KeyHeap,
    slab: Slab<T>,
    pace: Pace,
    /// The time of the last event popped.
    now: Time,
}

/// What is counted to notice that the calendar does not fit the load any more. Each rebuild is paid for by as many
/// pushes or pops as it moves keys.
struct Pace {
    /// Buckets that had their turn, and the keys that were in them, since the calendar was last judged.
    turns: usize,
    turned: usize,
    /// Keys that came back from the far future since then.
    fetched: usize,
    /// Keys put straight into the run since the last rebuild.
    inserted: usize,
    /// A run as long as this asks for narrower buckets.
    split_at: usize,
    /// As many pending events ask for more buckets.
    grow_at: usize,
    /// Doubled with each rebuild that changed nothing.
    patience: usize,
}

impl<T> EventQueue<T> for CalendarQueue<T> {
    fn new() -> Self {
        Self {
            run: Vec::new(),
            head: 0,
            late: KeyHeap::new(),
            today: FOREVER,
            shift: 0,
            buckets: Vec::new(),
            occupied: Vec::new(),
            far: KeyHeap::new(),
            slab: Slab::new(),
            pace: Pace {
                turns: 0,
                turned: 0,
                fetched: 0,
                inserted: 0,
                split_at: SPLIT,
                grow_at: usize::MAX,
                patience: 1,
            },
            now: Time::ZERO,
        }
    }

    #[inline]
    fn push(&mut self, time: Time, order: u64, item: T) {
        debug_assert!(time >= self.now, "an event at {time} pushed at {}", self.now);
        let slot = self.slab.insert(item);
        let key = Key::new(time, order, slot);
        let day = time.nanos() >> self.shift;
        if day <= self.today {
            self.insert(key);
        } else {
            self.file(day, key);
            if self.slab.len() > self.pace.grow_at {
                self.rebuild();
            }
        }
    }

    #[inline]
    fn pop(&mut self) -> Option<(Time, T)> {
        let key = if self.late.len() == 0
            && let Some(&key) = self.run.get(self.head)
        {
            self.head += 1;
            key
        } else {
            self.pop_slow()?
        };
        self.now = key.time();
        Some((key.time(), self.slab.take(key.slot())))
    }

    #[inline]
    fn next_time(&mut self) -> Option<Time> {
        if self.run.len() == self.head && self.late.len() == 0 && !self.turn() {
            return None;
        }
        let first = self.run.get(self.head).copied();
        first.into_iter().chain(self.late.first()).min().map(Key::time)
    }

    fn len(&self) -> usize {
        self.slab.len()
    }
}

impl<T> CalendarQueue<T> {
    fn pop_slow(&mut self) -> Option<Key> {
        if self.run.len() == self.head && self.late.len() == 0 && !self.turn() {
            return None;
        }
        match (self.run.get(self.head).copied(), self.late.first()) {
            (Some(key), late) if late.is_none_or(|late| key < late) => {
                self.head += 1;
                Some(key)
            }
            _ => self.late.pop(),
        }
    }

    /// Puts a key of a later day into its bucket, or into the far future.
    #[inline]
    fn file(&mut self, day: u64, key: Key) {
        // Compared as u64: a day may be further off than a usize can say.
        if day - self.today < self.buckets.len() as u64 {
            let at = ring(day, self.buckets.len());
            self.buckets[at].push(key);
            self.occupied[at / 64] |= 1 << (at % 64);
        } else {
            self.far.push(key);
        }
    }

    /// Puts a key into the run, or beside it.
    #[inline]
    fn insert(&mut self, key: Key) {
        let (head, end) = (self.head, self.run.len());
        let at = head + self.run[head..].partition_point(|&other| other < key);
        let (front, back) = (at - head, end - at);
        if front < back && head > 0 && front <= FAR {
            self.run.copy_within(head..at, head - 1);
            self.head -= 1;
            self.run[at - 1] = key;
        } else if back <= FAR {
            if end == self.run.capacity() {
                self.make_room();
            }
            let at = at - (end - self.run.len());
            self.run.insert(at, key);
        } else {
            self.late.push(key);
        }
        self.pace.inserted += 1;
        if end - head + self.late.len() >= self.pace.split_at {
            self.split();
        }
    }

    /// The run's allocation is full: moves what is left of it to the front, or doubles it.
    #[cold]
    fn make_room(&mut self) {
        if self.head >= self.run.len() / 2 {
            self.run.drain(..self.head);
            self.head = 0;
        }
        self.run.reserve(16);
    }

    const fn is_calendar(&self) -> bool {
        self.today != FOREVER
    }

    /// The run is longer than it should be: narrows the days, unless that was tried a moment ago.
    #[cold]
    fn split(&mut self) {
        if self.pace.inserted >= self.slab.len() / 2 * self.pace.patience {
            self.rebuild();
        } else {
            self.pace.split_at *= 2;
        }
    }

    /// The run is used up: brings the next day that has events. False when there are none.
    fn turn(&mut self) -> bool {
        self.run.clear();
        self.head = 0;
        if self.slab.len() == 0 {
            return false;
        }
        if self.is_unfit() {
            self.rebuild();
            return true;
        }
        self.today = match self.next_occupied() {
            Some(day) => day,
            None => self.far.first().expect("what is pending is somewhere").nanos() >> self.shift,
        };
        // The ring reaches further now. Nothing in `far` is earlier than what it reached before.
        while let Some(key) = self.far.first() {
            let day = key.nanos() >> self.shift;
            if day - self.today >= self.buckets.len() as u64 {
                break;
            }
            self.far.pop();
            self.file(day, key);
            self.pace.fetched += 1;
        }
        let at = ring(self.today, self.buckets.len());
        self.occupied[at / 64] &= !(1 << (at % 64));
        mem::swap(&mut self.run, &mut self.buckets[at]);
        self.run.sort_unstable();
        self.pace.turns += 1;
        self.pace.turned += self.run.len();
        self.pace.split_at = CROWD.max(2 * self.run.len());
        true
    }

    /// The first day after today that has something in its bucket.
    fn next_occupied(&self) -> Option<u64> {
        let start = ring(self.today.wrapping_add(1), self.buckets.len());
        let words = self.occupied.len();
        let first = self.occupied[start / 64] >> (start % 64);
        if first != 0 {
            return Some(self.today + 1 + u64::from(first.trailing_zeros()));
        }
        // All other words, and at last the first one again for the bits below `start`.
        (1..=words).find_map(|step| {
            let word = (start / 64 + step) % words;
            let bits = self.occupied[word];
            let at = 64 * word + bits.trailing_zeros() as usize;
            let ahead = at.wrapping_sub(start) & (self.buckets.len() - 1);
            (bits != 0).then(|| self.today + 1 + ahead as u64)
        })
    }

    /// Whether the days turned out too full or too empty, or a calendar is not worth having.
    fn is_unfit(&mut self) -> bool {
        let pending = self.slab.len();
        if pending <= CALM || self.buckets.is_empty() {
            return true;
        }
        let pace = &mut self.pace;
        if pace.turned < pending.max(16 * BUCKET.0) * pace.patience {
            return false;
        }
        let (mean, size) = (pace.turned / pace.turns, bucket_size(pending));
        let too_narrow = mean < size / 4 || pace.fetched > pace.turned / 2;
        (pace.turns, pace.turned, pace.fetched) = (0, 0, 0);
        // Some buckets more than are needed cost only the scan for the next one.
        let spare = self.buckets.len() > 16 * bucket_count(pending);
        let unfit = spare || too_narrow || mean > size * 4;
        if !unfit {
            pace.patience = 1;
        }
        unfit
    }

    /// Takes everything out and files it again in days that fit the load, or in the run alone when there is little
    /// of it. Leaves the first event in the run.
    #[cold]
    #[inline(never)]
    fn rebuild(&mut self) {
        let mut keys = Vec::with_capacity(self.slab.len());
        keys.extend_from_slice(&self.run[self.head..]);
        self.run.clear();
        self.head = 0;
        keys.append(&mut self.late.keys);
        keys.append(&mut self.far.keys);
        for (at, bucket) in self.buckets.iter_mut().enumerate() {
            if self.occupied[at / 64] & 1 << (at % 64) != 0 {
                keys.append(bucket);
            }
        }
        self.occupied.fill(0);

        let before = (self.is_calendar(), self.shift, self.buckets.len());
        let plan = if keys.len() <= SPLIT.midpoint(CALM) { None } else { plan(&mut keys) };
        if let Some((first, shift, count)) = plan {
            self.shift = shift;
            self.today = first >> shift;
            self.buckets.resize_with(count, Vec::new);
            self.occupied.resize(count / 64, 0);
            for key in keys {
                let day = key.nanos() >> shift;
                if day == self.today {
                    self.run.push(key);
                } else {
                    self.file(day, key);
                }
            }
            self.pace.grow_at = 4 * self.slab.len();
        } else {
            self.run.append(&mut keys);
            self.today = FOREVER;
            self.pace.grow_at = usize::MAX;
        }
        self.run.sort_unstable();
        let calendar = self.is_calendar();
        let same = before == (calendar, self.shift, self.buckets.len());
        self.pace = Pace {
            turns: 0,
            turned: 0,
            fetched: 0,
            inserted: 0,
            split_at: (2 * self.run.len()).max(if calendar { CROWD } else { SPLIT }),
            grow_at: self.pace.grow_at,
            patience: if same { (2 * self.pace.patience).min(64) } else { 1 },
        };
    }
}

/// The place of a day in a ring of `count` buckets.
#[inline]
#[expect(clippy::cast_possible_truncation, reason = "the number of buckets is a power of two")]
const fn ring(day: u64, count: usize) -> usize {
    day as usize & (count - 1)
}

/// How many events a bucket should hold when there are `pending`.
fn bucket_size(pending: usize) -> usize {
    (pending / CACHED).clamp(BUCKET.0, BUCKET.1)
}

/// How many buckets `pending` events should have: enough to reach several times as far as most of them.
fn bucket_count(pending: usize) -> usize {
    (4 * pending / bucket_size(pending)).next_power_of_two().clamp(BUCKETS.0, BUCKETS.1)
}

/// The first time among `keys`, the logarithm of the width of a day and the number of days that fit them; nothing
/// when they are all at one instant. The density that counts is that of the next events: what is far off will be
/// counted again before its turn comes.
fn plan(keys: &mut [Key]) -> Option<(u64, u32, usize)> {
    let size = bucket_size(keys.len());
    let last = keys.iter().max()?.nanos();
    let near = (keys.len() / 4).min(16 * size);
    let (before, &mut nth, _) = keys.select_nth_unstable(near);
    let first = before.iter().min()?.nanos();
    let count = bucket_count(keys.len());
    let width = match (nth.nanos() - first, last - first) {
        (0, 0) => return None,
        // A crowd at one instant says nothing about the width; reach everything instead.
        (0, all) => all / count as u64,
        (span, _) => {
            let width = u128::from(span) * size as u128 / near as u128;
            u64::try_from(width).unwrap_or(u64::MAX)
        }
    };
    Some((first, width.max(1).ilog2(), count))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::rc::Rc;

    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    /// Both queues and a map that is too simple to be wrong, given the same work.
    struct Twins<T> {
        heap: HeapQueue<T>,
        calendar: CalendarQueue<T>,
        map: BTreeMap<(Time, u64), T>,
        now: Time,
        order: u64,
    }

    impl<T: Clone + PartialEq + std::fmt::Debug> Twins<T> {
        fn new() -> Self {
            let (heap, calendar) = (HeapQueue::new(), CalendarQueue::new());
            Self { heap, calendar, map: BTreeMap::new(), now: Time::ZERO, order: 0 }
        }

        fn push(&mut self, time: Time, item: T) {
            self.push_with_order(time, self.order, item);
            self.order += 1;
        }

        fn push_with_order(&mut self, time: Time, order: u64, item: T) {
            self.heap.push(time, order, item.clone());
            self.calendar.push(time, order, item.clone());
            self.map.insert((time, order), item);
            self.check_len();
        }

        fn pop(&mut self) -> Option<(Time, T)> {
            let expected = self.map.pop_first().map(|((time, _), item)| (time, item));
            assert_eq!(self.heap.pop(), expected);
            assert_eq!(self.calendar.pop(), expected);
            self.check_len();
            if let Some((time, _)) = expected {
                self.now = time;
            }
            expected
        }

        fn peek(&mut self) {
            let expected = self.map.first_key_value().map(|(&(time, _), _)| time);
            assert_eq!(self.heap.next_time(), expected);
            assert_eq!(self.calendar.next_time(), expected);
        }

        fn drain(&mut self) {
            while self.pop().is_some() {}
        }

        fn check_len(&self) {
            assert_eq!(self.heap.len(), self.map.len());
            assert_eq!(self.calendar.len(), self.map.len());
        }

        /// `now` plus a delay, or the last instant there is.
        fn after(&self, delay: u64) -> Time {
            Time::from_nanos(self.now.nanos().saturating_add(delay))
        }
    }

    /// A splitmix64 step: the tests' own luck.
    fn next(state: &mut u64) -> u64 {
        *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (*state ^ *state >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    }

    #[derive(Clone, Debug)]
    enum Step {
        /// Events at these delays from now.
        Push(Vec<u64>),
        /// As many events at one delay from now.
        Crowd(u64, usize),
        /// As many pops, each followed by a push at this delay.
        Hold(u64, usize),
        Pop(usize),
        Peek,
    }

    /// Delays of every magnitude, with ties and a way to the end of time.
    fn delay() -> impl Strategy<Value = u64> {
        prop_oneof![
            3 => Just(0),
            3 => 0..8_u64,
            4 => (0..63_u32, any::<u64>()).prop_map(|(bits, noise)| noise & ((1 << bits) - 1)),
            3 => 0..1_000_000_000_u64,
            1 => (0..40_u32).prop_map(|bits| 1 << bits),
            1 => Just(u64::MAX),
        ]
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            4 => vec(delay(), 1..40).prop_map(Step::Push),
            2 => vec(0..1_000_000_000_u64, 100..400).prop_map(Step::Push),
            1 => vec(0..1_000_u64, 100..400).prop_map(Step::Push),
            1 => (delay(), 1..1_500_usize).prop_map(|(delay, count)| Step::Crowd(delay, count)),
            2 => (delay(), 1..500_usize).prop_map(|(delay, count)| Step::Hold(delay, count)),
            4 => (1..60_usize).prop_map(Step::Pop),
            1 => (100..1_500_usize).prop_map(Step::Pop),
            2 => Just(Step::Peek),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 192, ..ProptestConfig::default() })]

        #[test]
        fn both_queues_pop_as_a_sorted_map_does(steps in vec(step(), 1..40)) {
            let mut twins = Twins::new();
            for step in steps {
                match step {
                    Step::Push(delays) => for delay in delays {
                        twins.push(twins.after(delay), delay);
                    },
                    Step::Crowd(delay, count) => for _ in 0..count {
                        twins.push(twins.after(delay), delay);
                    },
                    Step::Hold(delay, count) => for _ in 0..count {
                        twins.pop();
                        twins.push(twins.after(delay), delay);
                    },
                    Step::Pop(count) => for _ in 0..count {
                        twins.pop();
                    },
                    Step::Peek => twins.peek(),
                }
            }
            twins.drain();
        }
    }

    /// Random ties give orders that do not rise.
    #[test]
    fn an_order_that_does_not_rise_is_obeyed() {
        let (mut twins, mut luck) = (Twins::new(), 1);
        for round in 0..2_000_u64 {
            let time = twins.after(next(&mut luck) % 3);
            // An odd factor permutes the 40-bit numbers.
            let order = round.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 24;
            twins.push_with_order(time, order, round);
            if round % 3 == 2 {
                twins.pop();
            }
        }
        twins.drain();
    }

    #[test]
    fn events_at_one_instant_come_in_the_order_they_went() {
        for count in [2, 90, 100, 1_000, 20_000] {
            let mut twins = Twins::new();
            for item in 0..count {
                twins.push(Time::from_nanos(7), item);
            }
            for item in 0..count {
                assert_eq!(twins.pop(), Some((Time::from_nanos(7), item)));
                // Each starts another at the same instant: behind all that wait already.
                twins.push(Time::from_nanos(7), count + item);
            }
            for item in count..2 * count {
                assert_eq!(twins.pop(), Some((Time::from_nanos(7), item)));
            }
        }
    }

    /// Pop, push at now plus a delay: `pending` events, delays by `delay`.
    fn hold(pending: u64, rounds: u64, mut delay: impl FnMut(u64) -> u64) {
        let (mut twins, mut luck) = (Twins::new(), pending);
        for _ in 0..pending {
            let delay = delay(next(&mut luck));
            twins.push(twins.after(delay), delay);
        }
        for _ in 0..rounds {
            twins.pop();
            let delay = delay(next(&mut luck));
            twins.push(twins.after(delay), delay);
        }
        twins.drain();
    }

    #[test]
    fn loads_of_every_shape_keep_their_order() {
        for pending in [1, 20, 70, 130, 5_000] {
            let rounds = 20_000;
            hold(pending, rounds, |luck| luck % 1_000_000_000);
            hold(pending, rounds, |_| 1_000_000);
            // A millisecond for all but every 16th, which waits five seconds.
            hold(pending, rounds, |luck| if luck % 16 == 0 { 5_000_000_000 } else { luck % 1_000 });
            // Any magnitude.
            hold(pending, rounds, |luck| luck >> 20 >> (luck % 44));
            // A nanosecond apart for a while, then ten seconds.
            let mut round = 0;
            hold(pending, rounds, |luck| {
                round += 1;
                if round / 3_000 % 2 == 0 { luck % 100 } else { luck % 100 * 10_000_000_000 }
            });
        }
    }

    #[test]
    fn the_last_instant_is_an_instant_like_another() {
        for count in [3, 300] {
            let mut twins = Twins::new();
            for back in (0..count).rev() {
                twins.push(Time::from_nanos(u64::MAX - back), back);
                twins.push(Time::MAX, back);
                twins.push(Time::from_nanos(back), back);
            }
            twins.peek();
            twins.drain();
            assert_eq!(twins.now, Time::MAX);
            twins.push(Time::MAX, 0);
            twins.drain();
        }
    }

    #[test]
    fn gaps_that_double_are_crossed() {
        let mut twins = Twins::new();
        for bits in 0..64 {
            for item in 0..5 {
                twins.push(Time::from_nanos(1 << bits), item);
                twins.push(Time::from_nanos((1 << bits) + item), item);
            }
        }
        twins.drain();
    }

    /// A crash of the simulation's own would be a leak, or a payload dropped twice.
    #[test]
    fn payloads_are_dropped_once_each() {
        fn check<Q: EventQueue<Rc<()>>>() {
            let token = Rc::new(());
            let (mut queue, mut luck) = (Q::new(), 3);
            for order in 0..1_000 {
                queue.push(Time::from_nanos(next(&mut luck) % 5_000), order, Rc::clone(&token));
            }
            assert_eq!(Rc::strong_count(&token), 1_001);
            for left in (400..1_000).rev() {
                queue.pop();
                assert_eq!(Rc::strong_count(&token), left + 1);
            }
            drop(queue);
            assert_eq!(Rc::strong_count(&token), 1);
        }
        check::<HeapQueue<_>>();
        check::<CalendarQueue<_>>();
    }

    #[test]
    fn a_new_queue_is_empty() {
        fn check<Q: EventQueue<()>>() {
            let mut queue = Q::new();
            assert!(queue.is_empty());
            assert_eq!(queue.next_time(), None);
            assert_eq!(queue.pop(), None);
        }
        check::<HeapQueue<()>>();
        check::<CalendarQueue<()>>();
    }

    #[test]
    #[should_panic(expected = "too many pending events: 16777216")]
    fn the_slots_running_out_is_said() {
        let mut queue = CalendarQueue::new();
        for order in 0..=1 << SLOT_BITS {
            queue.push(Time::ZERO, order, ());
        }
    }

    #[test]
    #[should_panic(expected = "does not fit in 40 bits")]
    fn an_order_too_large_is_said() {
        HeapQueue::new().push(Time::ZERO, 1 << ORDER_BITS, ());
    }
}
