//! Both queues against a dumb twin.

use std::collections::BTreeMap;
use std::rc::Rc;

use proptest::collection::vec;
use proptest::prelude::*;

use super::key::ORDER_BITS;
use super::*;

/// Both queues and a map that is too simple to be wrong, given the same work.
struct Twins<T> {
    heap: HeapQueue<T>,
    calendar: CalendarQueue<T>,
    map: BTreeMap<(Time, u64), T>,
    /// What may be taken back: by what each queue knows it, and the map. Some of it has come.
    revocable: Vec<(Handle, Handle, (Time, u64))>,
    now: Time,
    order: u64,
}

impl<T: Clone + PartialEq + std::fmt::Debug> Twins<T> {
    fn new() -> Self {
        let (heap, calendar) = (HeapQueue::new(), CalendarQueue::new());
        let (map, revocable) = (BTreeMap::new(), Vec::new());
        Self { heap, calendar, map, revocable, now: Time::ZERO, order: 0 }
    }

    fn push_revocable(&mut self, time: Time, item: T) {
        let order = self.order;
        let of_heap = self.heap.push_revocable(time, order, item.clone());
        let of_calendar = self.calendar.push_revocable(time, order, item.clone());
        self.map.insert((time, order), item);
        self.revocable.push((of_heap, of_calendar, (time, order)));
        self.order += 1;
        self.check_len();
    }

    /// Takes back one that may be taken back, or tries to: it may have come.
    fn revoke(&mut self, which: usize) {
        if self.revocable.is_empty() {
            return;
        }
        let which = which % self.revocable.len();
        let (of_heap, of_calendar, of_map) = self.revocable.swap_remove(which);
        let expected = self.map.remove(&of_map);
        assert_eq!(self.heap.revoke(of_heap), expected);
        assert_eq!(self.calendar.revoke(of_calendar), expected);
        assert_eq!(self.heap.revoke(of_heap), None, "only once");
        self.check_len();
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
        let expected = self.map.first_key_value().map(|((time, _), item)| (*time, item));
        assert_eq!(self.heap.peek(), expected);
        assert_eq!(self.calendar.peek(), expected);
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

impl Twins<u64> {
    /// What is pending is looked at, once each, and nothing else is.
    fn look_at_each(&self) {
        let mut expected: Vec<u64> = self.map.values().copied().collect();
        expected.sort_unstable();
        let (mut heap, mut calendar) = (Vec::new(), Vec::new());
        self.heap.each(&mut |item| heap.push(*item));
        self.calendar.each(&mut |item| calendar.push(*item));
        heap.sort_unstable();
        calendar.sort_unstable();
        assert_eq!((&heap, &calendar), (&expected, &expected));
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
    /// Events that may be taken back, at these delays from now.
    Revocable(Vec<u64>),
    /// Takes as many of them back.
    Revoke(usize, usize),
    /// As often, one is taken back and another put in its place, as a timer is that is set again.
    Again(u64, usize),
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
        2 => vec(delay(), 1..20).prop_map(Step::Revocable),
        2 => (any::<usize>(), 1..20_usize).prop_map(|(which, count)| Step::Revoke(which, count)),
        1 => (delay(), 1..60_usize).prop_map(|(delay, count)| Step::Again(delay, count)),
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
                Step::Peek => {
                    twins.peek();
                    twins.look_at_each();
                }
                Step::Revocable(delays) => for delay in delays {
                    twins.push_revocable(twins.after(delay), delay);
                },
                Step::Revoke(which, count) => for _ in 0..count {
                    twins.revoke(which);
                },
                Step::Again(delay, count) => for which in 0..count {
                    twins.revoke(which);
                    twins.push_revocable(twins.after(delay), delay);
                    twins.pop();
                },
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
        let handles = [400, 401]
            .map(|order| queue.push_revocable(Time::from_nanos(5_000), order, Rc::clone(&token)));
        drop(queue.revoke(handles[0]));
        assert_eq!(Rc::strong_count(&token), 402);
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
fn the_slots_running_out_is_said() {
    let mut queue = CalendarQueue::new();
    for order in 0..MOST_PENDING as u64 {
        queue.push(Time::ZERO, order, ());
    }
    assert!(!queue.is_overfull());
    queue.push(Time::ZERO, MOST_PENDING as u64, ());
    assert_eq!((queue.is_overfull(), queue.len()), (true, MOST_PENDING));
    let handle = queue.push_revocable(Time::ZERO, 1 << 30, ());
    assert_eq!((queue.revoke(handle), queue.len()), (None, MOST_PENDING));
}

#[test]
#[should_panic(expected = "does not fit in 40 bits")]
fn an_order_too_large_is_said() {
    HeapQueue::new().push(Time::ZERO, 1 << ORDER_BITS, ());
}
