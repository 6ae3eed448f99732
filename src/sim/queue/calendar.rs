//! The sorted-bucket calendar: the fast queue.

use std::mem;

use crate::time::Time;

use super::EventQueue;
use super::key::{EventKey, Handle, KeyHeap};
use super::revocable::Revocable;
use super::slab::Slab;

/// How many events a bucket should hold, least and most: fewer cost more turns, more cost more
/// sorting.
const BUCKET: (usize, usize) = (4, 128);
/// From about as many buckets on, the buckets rather grow: these still fit in the second-level
/// cache.
const CACHED: usize = 1024;
/// Up to this many pending events are kept in one sorted run, with no calendar at all.
const SPLIT: usize = 10;
/// At this many or fewer the calendar is given up again; well below `SPLIT`, so that a load between
/// the two does not build it and give it up all the time.
const CALM: usize = 4;
/// What the run may grow to beside a calendar, or to twice what it began with, before narrower
/// buckets are tried.
const CROWD: usize = 32;
/// The most keys that an insertion into the run may move.
const FAR: usize = 512;
/// The bounds of the number of buckets, powers of two; the lower is the bits of one word of the
/// occupancy map.
const BUCKETS: (usize, usize) = (64, 1 << 16);
/// The day of the run when there is no calendar: every event belongs to the run.
const FOREVER: u64 = u64::MAX;

/// The fast queue: sorted on arrival of the bucket's turn.
///
/// Time is cut into days of 2^`shift` nanoseconds. The run holds what is pending of `today` and
/// before, sorted; the days after it have a bucket each, in a ring; what is later than the ring
/// reaches is in the heap `far`. The width of a day and the number of buckets follow the density of
/// pending events, see `rebuild`.
pub struct CalendarQueue<T> {
    /// Ascending from `head` on; what is before `head` is gone.
    run: Vec<EventKey>,
    head: usize,
    /// Events of the run's days that would have been too far from either of its ends to be inserted
    /// there.
    late: KeyHeap,
    today: u64,
    shift: u32,
    /// The bucket of day d is d modulo their number; only days today + 1 .. today + number are in
    /// them.
    buckets: Vec<Vec<EventKey>>,
    /// A bit a bucket: set when it holds something.
    occupied: Vec<u64>,
    /// Days from today + number of buckets on.
    far: KeyHeap,
    slab: Slab<T>,
    /// What may be taken back; in none of the above but the slab.
    revocable: Revocable,
    pace: Load,
    /// The time of the last event popped.
    now: Time,
}

/// What is counted to notice that the calendar does not fit the load any more. Each rebuild is paid
/// for by as many pushes or pops as it moves keys.
struct Load {
    /// Buckets that had their turn, and the keys that were in them, since the calendar was last
    /// judged.
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
            revocable: Revocable::new(),
            pace: Load {
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
        let Some(slot) = self.slab.insert(item) else { return };
        let key = EventKey::new(time, order, slot);
        let day = time.nanos() >> self.shift;
        if day <= self.today {
            self.insert(key);
        } else {
            self.file(day, key);
            if self.filed() > self.pace.grow_at {
                self.rebuild();
            }
        }
    }

    fn push_revocable(&mut self, time: Time, order: u64, item: T) -> Handle {
        debug_assert!(time >= self.now, "an event at {time} pushed at {}", self.now);
        self.slab.insert_revocable(&mut self.revocable, time, order, item)
    }

    fn revoke(&mut self, Handle(key): Handle) -> Option<T> {
        self.revocable.revoke(key).then(|| self.slab.take(key.slot()))
    }

    #[inline]
    fn is_overfull(&self) -> bool {
        self.slab.overfull
    }

    // Always inlined: a call hands the item back in memory, from where it is copied twice more, out
    // of step.
    #[inline(always)]
    fn pop(&mut self) -> Option<(Time, T)> {
        let key = if self.late.len() == 0
            && let Some(&key) = self.run.get(self.head)
            && key < self.revocable.soonest
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
        self.peek_key().map(EventKey::time)
    }

    fn peek(&mut self) -> Option<(Time, &T)> {
        let key = self.peek_key()?;
        Some((key.time(), self.slab.get(key.slot())))
    }

    fn each(&self, look: &mut dyn FnMut(&T)) {
        self.slab.each(look);
    }

    fn len(&self) -> usize {
        self.slab.len()
    }
}

impl<T> CalendarQueue<T> {
    /// How many events are pending that will not be taken back: those that the calendar holds.
    #[inline]
    fn filed(&self) -> usize {
        self.slab.len() - self.revocable.len()
    }

    /// The first event of all.
    #[inline]
    fn peek_key(&mut self) -> Option<EventKey> {
        let soonest = self.revocable.soonest;
        self.first().or_else(|| (soonest != EventKey::NEVER).then_some(soonest))
    }

    /// The first event, unless one that may be taken back comes before it.
    #[inline]
    fn first(&mut self) -> Option<EventKey> {
        if self.run.len() == self.head && self.late.len() == 0 && !self.turn() {
            return None;
        }
        let mut first = self.run.get(self.head).copied().unwrap_or(EventKey::NEVER);
        if let Some(late) = self.late.first() {
            first = first.min(late);
        }
        (first < self.revocable.soonest).then_some(first)
    }

    /// Takes the first event of all.
    #[inline(never)]
    fn pop_slow(&mut self) -> Option<EventKey> {
        let Some(first) = self.first() else { return self.revocable.pop() };
        if self.run.get(self.head) == Some(&first) {
            self.head += 1;
            Some(first)
        } else {
            self.late.pop()
        }
    }

    /// Puts a key of a later day into its bucket, or into the far future.
    #[inline]
    fn file(&mut self, day: u64, key: EventKey) {
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
    fn insert(&mut self, key: EventKey) {
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
        if self.pace.inserted >= self.filed() / 2 * self.pace.patience {
            self.rebuild();
        } else {
            self.pace.split_at *= 2;
        }
    }

    /// The run is used up: brings the next day that has events. False when there are none, or when
    /// something that may be taken back comes before that day.
    fn turn(&mut self) -> bool {
        self.run.clear();
        self.head = 0;
        if self.filed() == 0 {
            return false;
        }
        if self.is_unfit() {
            self.rebuild();
            return true;
        }
        let next = match self.next_occupied() {
            Some(day) => day,
            None => self.far.first().expect("what is pending is somewhere").nanos() >> self.shift,
        };
        if self.revocable.soonest.nanos() >> self.shift < next {
            // What is pushed until then would be early in the run of a day that is far off.
            return false;
        }
        self.today = next;
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
        let pending = self.filed();
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

    /// Takes everything out and files it again in days that fit the load, or in the run alone when
    /// there is little of it. Leaves the first event in the run.
    #[cold]
    #[inline(never)]
    fn rebuild(&mut self) {
        let mut keys = Vec::with_capacity(self.filed());
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
            self.pace.grow_at = 4 * self.filed();
        } else {
            self.run.append(&mut keys);
            self.today = FOREVER;
            self.pace.grow_at = usize::MAX;
        }
        self.run.sort_unstable();
        let calendar = self.is_calendar();
        let same = before == (calendar, self.shift, self.buckets.len());
        self.pace = Load {
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

/// How many buckets `pending` events should have: enough to reach several times as far as most of
/// them.
fn bucket_count(pending: usize) -> usize {
    (4 * pending / bucket_size(pending)).next_power_of_two().clamp(BUCKETS.0, BUCKETS.1)
}

/// The first time among `keys`, the logarithm of the width of a day and the number of days that fit
/// them; nothing when they are all at one instant. The density that counts is that of the next
/// events: what is far off will be counted again before its turn comes.
fn plan(keys: &mut [EventKey]) -> Option<(u64, u32, usize)> {
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
    // Rounded up: days that are too narrow cost a turn each, whatever is in them.
    Some((first, width.max(1).checked_next_power_of_two().map_or(63, u64::ilog2), count))
}
