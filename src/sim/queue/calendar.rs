//! The sorted-bucket calendar: the fast queue.

use std::mem;

use crate::time::Time;

use super::EventQueue;
use super::key::{EventKey, Handle, KeyHeap};
use super::revocable::Revocable;
use super::slab::Slab;

/// The least and the most events that a bucket should hold: fewer cost more turns, more cost more
/// sorting.
const BUCKET: (usize, usize) = (4, 128);
/// About this many buckets fit in the second-level cache; beyond, buckets grow instead of their
/// number.
const CACHED: usize = 1024;
/// Up to this many pending events are kept in one sorted run, with no calendar at all.
const SPLIT: usize = 10;
/// At this many pending events or fewer the calendar is given up. It is well below `SPLIT`, so that
/// a steady load does not build it and give it up again and again.
const CALM: usize = 4;
/// When the run is longer than this beside a calendar, and than twice its length at its turn,
/// narrower buckets are tried.
const CROWD: usize = 32;
/// The most keys that an insertion into the run may move.
const FAR: usize = 512;
/// The bounds of the number of buckets, which are powers of two; the lower is the number of bits in
/// a word of the occupancy map.
const BUCKETS: (usize, usize) = (64, 1 << 16);
/// The day of the run when there is no calendar: every event belongs to the run.
const FOREVER: u64 = u64::MAX;

/// The fast queue: a bucket is sorted when its turn comes.
///
/// Time is cut into days of 2^`shift` nanoseconds.
///
/// - The run holds the pending events up to `today`, sorted.
/// - Each day after it has a bucket, in a ring.
/// - Later events are in the heap `far`.
///
/// The width of a day and the number of buckets follow the density of pending events, see
/// `rebuild`.
pub struct CalendarQueue<T> {
    /// Ascending from `head` on; the keys before `head` are gone.
    run: Vec<EventKey>,
    head: usize,
    /// Events of the run's days that belong too far from either of its ends to be inserted there.
    late: KeyHeap,
    today: u64,
    shift: u32,
    /// By day, modulo their number; they hold only the days from today + 1 to today + number - 1.
    buckets: Vec<Vec<EventKey>>,
    /// A bit for each bucket, set when it holds something.
    occupied: Vec<u64>,
    /// Events from the day today + number of buckets on.
    far: KeyHeap,
    slab: Slab<T>,
    /// The keys of events that may be taken back, which are in none of the above.
    revocable: Revocable,
    load: Load,
    /// The time of the last event popped.
    now: Time,
}

/// Counts that show when the calendar no longer fits the load. A rebuild comes only after as many
/// pushes or pops as it moves keys.
struct Load {
    /// Buckets that had their turn since the calendar was last judged.
    turns: usize,
    /// The keys that were in them.
    turned: usize,
    /// Keys that came from the far future since then.
    fetched: usize,
    /// Keys inserted into the run since the last rebuild.
    inserted: usize,
    /// At this length of the run, narrower buckets are tried.
    split_at: usize,
    /// At more pending events than this, more buckets are made.
    grow_at: usize,
    /// How much work a rebuild waits for; doubled by each rebuild that changed nothing.
    backoff: usize,
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
            load: Load {
                turns: 0,
                turned: 0,
                fetched: 0,
                inserted: 0,
                split_at: SPLIT,
                grow_at: usize::MAX,
                backoff: 1,
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
            if self.filed() > self.load.grow_at {
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

    // Always inlined: a call returns the item in memory, from where it is copied twice more.
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
    /// How many events the calendar holds: the pending ones, without those that may be taken back.
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
        // Compared as u64: the distance may not fit a usize.
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
        self.load.inserted += 1;
        if end - head + self.late.len() >= self.load.split_at {
            self.split();
        }
    }

    /// The run's allocation is full: moves its keys to the front, or doubles it.
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

    /// The run is too long: narrows the days, unless that was tried a moment ago.
    #[cold]
    fn split(&mut self) {
        if self.load.inserted >= self.filed() / 2 * self.load.backoff {
            self.rebuild();
        } else {
            self.load.split_at *= 2;
        }
    }

    /// The run is used up: takes the next day that has events for the run. False when there are
    /// none, or when an event that may be taken back comes before that day.
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
            // With a later day in the run, events that are pushed until then would crowd its front.
            return false;
        }
        self.today = next;
        // The ring reaches further now: it takes in the first events of `far`.
        while let Some(key) = self.far.first() {
            let day = key.nanos() >> self.shift;
            if day - self.today >= self.buckets.len() as u64 {
                break;
            }
            self.far.pop();
            self.file(day, key);
            self.load.fetched += 1;
        }
        let at = ring(self.today, self.buckets.len());
        self.occupied[at / 64] &= !(1 << (at % 64));
        mem::swap(&mut self.run, &mut self.buckets[at]);
        self.run.sort_unstable();
        self.load.turns += 1;
        self.load.turned += self.run.len();
        self.load.split_at = CROWD.max(2 * self.run.len());
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
        // The other words, and then the first one again for the bits below `start`.
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
        let load = &mut self.load;
        if load.turned < pending.max(16 * BUCKET.0) * load.backoff {
            return false;
        }
        let (mean, size) = (load.turned / load.turns, bucket_size(pending));
        let too_narrow = mean < size / 4 || load.fetched > load.turned / 2;
        (load.turns, load.turned, load.fetched) = (0, 0, 0);
        // Spare buckets only cost the scan for the next one, so many are allowed.
        let spare = self.buckets.len() > 16 * bucket_count(pending);
        let unfit = spare || too_narrow || mean > size * 4;
        if !unfit {
            load.backoff = 1;
        }
        unfit
    }

    /// Files all events again in days that fit the load, or in the run alone when they are few. The
    /// first event is in the run after that.
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
            self.load.grow_at = 4 * self.filed();
        } else {
            self.run.append(&mut keys);
            self.today = FOREVER;
            self.load.grow_at = usize::MAX;
        }
        self.run.sort_unstable();
        let calendar = self.is_calendar();
        let same = before == (calendar, self.shift, self.buckets.len());
        self.load = Load {
            turns: 0,
            turned: 0,
            fetched: 0,
            inserted: 0,
            split_at: (2 * self.run.len()).max(if calendar { CROWD } else { SPLIT }),
            grow_at: self.load.grow_at,
            backoff: if same { (2 * self.load.backoff).min(64) } else { 1 },
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

/// How many buckets `pending` events should have: enough to reach several times as far as most
/// events.
fn bucket_count(pending: usize) -> usize {
    (4 * pending / bucket_size(pending)).next_power_of_two().clamp(BUCKETS.0, BUCKETS.1)
}

/// The first time among `keys`, the logarithm of the width of a day, and the number of days that
/// fit them; `None` when they are all at one instant. Only the density of the next events counts:
/// later ones are counted again before their turn comes.
fn plan(keys: &mut [EventKey]) -> Option<(u64, u32, usize)> {
    let size = bucket_size(keys.len());
    let last = keys.iter().max()?.nanos();
    let near = (keys.len() / 4).min(16 * size);
    let (before, &mut nth, _) = keys.select_nth_unstable(near);
    let first = before.iter().min()?.nanos();
    let count = bucket_count(keys.len());
    let width = match (nth.nanos() - first, last - first) {
        (0, 0) => return None,
        // Events at one instant say nothing about the width; the days are to reach all events.
        (0, all) => all / count as u64,
        (span, _) => {
            let width = u128::from(span) * size as u128 / near as u128;
            u64::try_from(width).unwrap_or(u64::MAX)
        }
    };
    // Rounded up: each day costs a turn, so days that are too narrow are worse.
    Some((first, width.max(1).checked_next_power_of_two().map_or(63, u64::ilog2), count))
}
