//! The network alone: who reaches whom under each fault, and when a message arrives over each kind
//! of link.

use super::ClientWay::{Back, There};
use super::faults::{Ends, block, bridge, isolate, majorities_ring, partition};
use super::*;
use crate::config::Group;
use crate::config::{ClientLeg, LinkOverride};
use crate::id::NodeSet;
use crate::rng::Probability;
use crate::rng::Root;

const fn n(number: u16) -> NodeId {
    NodeId(number - 1)
}

fn set(numbers: &[u16]) -> NodeSet {
    numbers.iter().map(|number| n(*number)).collect()
}

fn ms(ms: u64) -> Span {
    Span::from_millis(ms)
}

fn at_ms(ms: u64) -> Time {
    Time::ZERO + Span::from_millis(ms)
}

fn percent(percent: u32) -> Probability {
    Probability::from_parts_per_billion(percent * 10_000_000).expect("at most all")
}

fn constant(length: u64) -> Distribution {
    Distribution::Constant(ms(length))
}

/// A link of one millisecond that does nothing else.
fn link() -> Link {
    Link { delay: constant(1), ..Config::quiet(1).network.default }
}

fn over(from: Option<u16>, to: Option<u16>, delay: u64) -> LinkOverride {
    let link = Link { delay: constant(delay), ..link() };
    LinkOverride { from: from.map(n), to: to.map(n), link }
}

fn settings(default: Link, links: Vec<LinkOverride>) -> Settings {
    Settings { default, links, ..Config::quiet(1).network }
}

/// When a message arrives that was neither stopped nor duplicated.
fn arrives(fate: Fate) -> Time {
    let (Fate::Arrives { at, copy: None } | Fate::Slowed { at, copy: None }) = fate else {
        panic!("{fate:?}")
    };
    at
}

/// A network under test, and the next message's identity.
struct Bench {
    network: NetworkState,
    draws: Draws,
    sent: u64,
}

impl Bench {
    fn new(nodes: u16, network: Settings) -> Self {
        let config = Config { network, ..Config::quiet(nodes) };
        Self { network: NetworkState::new(&config), draws: Draws::new(1), sent: 0 }
    }

    fn quiet(nodes: u16) -> Self {
        Self::new(nodes, settings(link(), vec![]))
    }

    fn over(default: Link) -> Self {
        Self::new(2, settings(default, vec![]))
    }

    fn start(&mut self, index: u32, fault: NetworkFault) {
        self.network.start(index, CausalId::root(Root::Fault, index.into(), 0), fault);
    }

    fn packet(&self, (from, to): (u16, u16), kind: u8, size: u64) -> Packet {
        Packet { from: n(from), to: n(to), kind, size, id: CausalId::root(Root::Run, self.sent, 9) }
    }

    fn send(&mut self, link: (u16, u16), (kind, size): (u8, u64), now: Time) -> Fate {
        let packet = self.packet(link, kind, size);
        self.sent += 1;
        self.network.decide(packet, now, &self.draws)
    }

    /// When a message of 100 bytes from n1 to n2 arrives.
    fn arrival(&mut self, now: Time) -> Time {
        arrives(self.send((1, 2), (0, 100), now))
    }

    /// A row a sender, a character a receiver: `#` where the message is blocked.
    fn matrix(&mut self) -> Vec<String> {
        let nodes = u16::try_from(self.network.nodes).expect("few");
        let row = |from: u16, bench: &mut Self| {
            let cell = |to: u16| {
                if bench.send((from, to), (0, 1), Time::ZERO) == Fate::Blocked { '#' } else { '.' }
            };
            (1..=nodes).map(cell).collect()
        };
        (1..=nodes).map(|from| row(from, self)).collect()
    }
}

fn groups(sides: &[&[u16]]) -> Vec<Group> {
    let group =
        |side: &&[u16]| Group { nodes: side.iter().map(|i| n(*i)).collect(), clients: vec![] };
    sides.iter().map(group).collect()
}

fn ends(from: &[u16], to: &[u16], both_ways: bool) -> Ends {
    Ends { from: set(from), to: set(to), both_ways }
}

#[test]
fn each_shape_cuts_exactly_its_pairs() {
    let all = [1, 2, 3, 4, 5, 6];
    let shapes: [(&str, u16, NetworkFault, &str); 19] = [
        ("two groups", 3, partition(3, &groups(&[&[1], &[2, 3]])), ".## #.. #.."),
        ("the unlisted are a group", 3, partition(3, &groups(&[&[3]])), "..# ..# ##."),
        (
            "two groups and the rest",
            5,
            partition(5, &groups(&[&[1, 4], &[2]])),
            ".##.# #.### ##.#. .##.# ##.#.",
        ),
        (
            "everybody alone",
            4,
            partition(4, &groups(&[&[1], &[2], &[3], &[4]])),
            ".### #.## ##.# ###.",
        ),
        ("everybody together", 4, partition(4, &groups(&[&[1, 2, 3, 4]])), ".... .... .... ...."),
        ("ring of 4", 4, majorities_ring(4), "..#. ...# #... .#.."),
        ("ring of 5", 5, majorities_ring(5), "..##. ...## #...# ##... .##.."),
        ("ring of 6", 6, majorities_ring(6), "...#.. ....#. .....# #..... .#.... ..#..."),
        ("bridge of 3", 3, bridge(3, n(2)), "..# ... #.."),
        ("bridge of 4", 4, bridge(4, n(1)), ".... ..## .#.. .#.."),
        ("bridge of 5", 5, bridge(5, n(3)), "...## ...## ..... ##... ##..."),
        ("bridge of 6", 6, bridge(6, n(6)), "..###. ..###. ##.... ##.... ##.... ......"),
        ("isolate one", 4, isolate(4, &set(&[2])), ".#.. #.## .#.. .#.."),
        ("isolate two, from each other too", 4, isolate(4, &set(&[1, 4])), ".### #..# #..# ###."),
        ("isolate nobody", 3, isolate(3, &NodeSet::EMPTY), "... ... ..."),
        ("block one way", 3, block(3, &ends(&[1], &[2], false)), ".#. ... ..."),
        ("block both ways", 3, block(3, &ends(&[1], &[2], true)), ".#. #.. ..."),
        ("block all to one", 3, block(3, &ends(&all[..3], &[3], false)), "..# ..# ..."),
        (
            "block all, but nobody from himself",
            6,
            block(6, &ends(&all, &all, false)),
            ".##### #.#### ##.### ###.## ####.# #####.",
        ),
    ];
    for (name, nodes, fault, expected) in shapes {
        let mut bench = Bench::quiet(nodes);
        bench.start(0, fault);
        assert_eq!(bench.matrix().join(" "), expected, "{name}");
        let blocked: String =
            (1..=nodes).map(|i| bench.network.blocked_from(n(i)).len().to_string()).collect();
        let counted: String =
            expected.split(' ').map(|row| row.matches('#').count().to_string()).collect();
        assert_eq!(blocked, counted, "{name}");
    }
}

#[test]
fn in_a_majorities_ring_each_node_sees_a_majority_and_no_two_the_same() {
    for nodes in 4..=15 {
        let mut bench = Bench::quiet(nodes);
        bench.start(0, majorities_ring(nodes));
        let mut rows = bench.matrix();
        for row in &rows {
            let sees = row.matches('.').count();
            assert!(sees > usize::from(nodes) / 2 && sees < usize::from(nodes), "{nodes}: {row}");
        }
        rows.sort();
        rows.dedup();
        assert_eq!(rows.len(), usize::from(nodes));
    }
}

#[test]
fn faults_add_up_and_healing_one_leaves_the_other() {
    let mut bench = Bench::quiet(3);
    bench.start(4, partition(3, &groups(&[&[1], &[2, 3]])));
    bench.start(7, block(3, &ends(&[1], &[2], false)));
    bench.start(9, isolate(3, &set(&[3])));
    assert_eq!(bench.matrix(), [".##", "#.#", "##."]);
    assert!(bench.network.end(4));
    assert_eq!(bench.matrix(), [".##", "..#", "##."]);
    assert!(!bench.network.end(4), "it has ended before");
    assert!(bench.network.end(9));
    assert_eq!(bench.matrix(), [".#.", "...", "..."]);
    assert_eq!((bench.network.blocked_from(n(1)), bench.network.active()), (vec![n(2)], vec![7]));
    assert!(bench.network.end(7));
    assert_eq!(bench.matrix(), ["...", "...", "..."]);
}

#[test]
fn a_client_in_a_group_reaches_only_that_group() {
    let (inside, other) = (ClientId(0), ClientId(1));
    let mut sides = groups(&[&[1], &[2, 3]]);
    sides[1].clients.push(inside);
    let mut bench = Bench::quiet(4);
    bench.start(0, partition(4, &sides));
    let reached = |bench: &Bench, client| {
        (1..=4).filter(|i| bench.network.client_reaches(client, n(*i))).collect::<Vec<_>>()
    };
    assert_eq!(reached(&bench, inside), [2, 3]);
    assert_eq!(reached(&bench, other), [1, 2, 3, 4]);
    // Two partitions at once: what both leave.
    let mut sides = groups(&[&[3, 4]]);
    sides[0].clients.push(inside);
    bench.start(1, partition(4, &sides));
    assert_eq!(reached(&bench, inside), [3]);
    bench.network.end(0);
    assert_eq!(reached(&bench, inside), [3, 4]);
}

#[test]
fn a_later_override_wins_and_directions_differ() {
    let links = vec![over(Some(1), None, 10), over(None, Some(3), 30), over(Some(1), Some(3), 13)];
    let mut bench = Bench::new(3, settings(link(), links));
    let delays = |bench: &mut Bench| {
        let pairs = [(1, 2), (2, 1), (1, 3), (3, 1), (2, 3), (3, 2)];
        pairs.map(|link| arrives(bench.send(link, (0, 1), Time::ZERO)))
    };
    let arrive = |delays: [u64; 6]| delays.map(at_ms);
    assert_eq!(delays(&mut bench), arrive([10, 1, 13, 1, 30, 1]));
    // Settings that change on the way replace all of it, and leave faults.
    bench.start(0, NetworkFault::Slow(ends(&[2], &[1], false), constant(100)));
    bench
        .network
        .configure(&settings(link(), vec![over(Some(3), Some(1), 31), over(None, Some(1), 5)]));
    assert_eq!(delays(&mut bench), arrive([1, 105, 1, 5, 1, 1]));
}

#[test]
fn slow_links_add_up_by_direction() {
    let mut bench = Bench::quiet(3);
    bench.start(0, NetworkFault::Slow(ends(&[1], &[2], true), constant(10)));
    bench.start(1, NetworkFault::Slow(ends(&[1], &[2, 3], false), constant(100)));
    let mut takes = |link| {
        let at = arrives(bench.send(link, (0, 1), at_ms(5)));
        (at - at_ms(5)).nanos() / 1_000_000
    };
    assert_eq!([(1, 2), (2, 1), (1, 3), (3, 1), (2, 3)].map(&mut takes), [111, 11, 101, 1, 1]);
    // Slowness without end, three times over, is still a time.
    for index in 2..6 {
        bench.start(
            index,
            NetworkFault::Slow(ends(&[1], &[2], false), Distribution::Constant(Span::MAX)),
        );
    }
    assert_eq!(bench.arrival(Time::ZERO), Time::ZERO + Span::MAX + ms(1));
}

#[test]
fn a_drop_takes_its_kind_and_its_share() {
    let mut bench = Bench::quiet(2);
    bench.start(0, NetworkFault::Drop(ends(&[1], &[2], false), Some(1), Probability::ONE));
    bench.start(1, NetworkFault::Drop(ends(&[1], &[2], false), Some(2), percent(30)));
    let mut blocked = |link, kind| {
        let lost = |_: &u32| bench.send(link, (kind, 1), Time::ZERO) == Fate::Blocked;
        (0..10_000).filter(lost).count()
    };
    assert_eq!([blocked((1, 2), 0), blocked((1, 2), 1), blocked((2, 1), 1)], [0, 10_000, 0]);
    let some = blocked((1, 2), 2);
    assert!((2_850..3_150).contains(&some), "{some}");
}

#[test]
fn loss_and_duplication_come_at_the_configured_rates_and_leave_delays_alone() {
    const SENT: usize = 100_000;
    let delay = Distribution::Uniform { low: ms(0), high: ms(100) };
    let lossy = |loss, duplication| Link {
        delay: delay.clone(),
        loss: percent(loss),
        duplication: percent(duplication),
        ..link()
    };
    let fates = |loss, duplication| {
        let mut bench = Bench::over(lossy(loss, duplication));
        (0..SENT).map(|_| bench.send((1, 2), (0, 1), Time::ZERO)).collect::<Vec<_>>()
    };
    let (few, many) = (fates(1, 5), fates(20, 50));
    let share = |fates: &[Fate], what: fn(&Fate) -> bool| {
        fates.iter().filter(|fate| what(fate)).count() as f64 / SENT as f64
    };
    let lost = |fate: &Fate| *fate == Fate::Lost;
    let twice = |fate: &Fate| matches!(fate, Fate::Arrives { copy: Some(_), .. });
    // Five standard deviations of a binomial.
    for (measured, expected) in [
        (share(&few, lost), 0.01),
        (share(&many, lost), 0.20),
        (share(&few, twice), 0.99 * 0.05),
        (share(&many, twice), 0.80 * 0.50),
    ] {
        let deviation = (expected * (1.0 - expected) / SENT as f64).sqrt();
        assert!((measured - expected).abs() < 5.0 * deviation, "{measured} for {expected}");
    }
    let mut sum = 0_u128;
    for (few, many) in few.iter().zip(&many) {
        match (few, many) {
            (Fate::Arrives { at, copy }, Fate::Arrives { at: same, copy: same_copy }) => {
                assert_eq!(at, same);
                if let (Some(copy), Some(same)) = (copy, same_copy) {
                    assert_eq!(copy, same);
                    assert_ne!(copy, at, "a copy has a delay of its own");
                }
                sum += u128::from(at.nanos());
            }
            (Fate::Lost, Fate::Arrives { .. }) => panic!("what 1% loses, 20% loses too"),
            _ => {}
        }
    }
    assert!(sum > 0);
}

#[test]
fn a_fifo_link_never_reorders_and_never_delivers_two_at_one_instant() {
    let delay = Distribution::Uniform { low: ms(0), high: ms(50) };
    for (delay, apart) in [(delay.clone(), 1), (delay, 0), (constant(3), 0), (constant(0), 0)] {
        let mut bench =
            Bench::over(Link { delay, order: LinkOrder::Fifo, duplication: percent(20), ..link() });
        let mut last = Time::ZERO;
        for i in 0..2_000 {
            let Fate::Arrives { at, copy } = bench.send((1, 2), (0, 1), at_ms(i * apart)) else {
                panic!("nothing is lost")
            };
            assert!(at > last && at >= at_ms(i * apart));
            last = at;
            if let Some(copy) = copy {
                assert!(copy > last);
                last = copy;
            }
        }
        // The way back is a link of its own.
        let Fate::Arrives { at, .. } = bench.send((2, 1), (0, 1), Time::ZERO) else {
            panic!("lost")
        };
        assert!(at <= at_ms(50));
    }
}

#[test]
fn messages_queue_for_bandwidth_and_the_queue_drains() {
    let mut bench = Bench::over(Link { bandwidth: Some(1_000), delay: constant(5), ..link() });
    let burst: Vec<Time> = (0..10).map(|_| bench.arrival(Time::ZERO)).collect();
    let steps: Vec<Time> = (1..=10).map(|i| at_ms(100 * i + 5)).collect();
    assert_eq!(burst, steps);
    // 400 ms later a tenth of a second is still queued; ten seconds later nothing is.
    assert_eq!(bench.arrival(at_ms(900)), at_ms(1_105));
    assert_eq!(bench.arrival(at_ms(11_000)), at_ms(11_105));
    let Fate::Arrives { at, .. } = bench.send((2, 1), (0, 100), Time::ZERO) else { panic!("lost") };
    assert_eq!(at, at_ms(105), "the way back has its own bandwidth");
}

#[test]
fn a_queue_longer_than_time_is_no_overflow() {
    for order in [LinkOrder::Reordering, LinkOrder::Fifo] {
        let delay = Distribution::Constant(Span::MAX);
        let mut bench = Bench::over(Link { bandwidth: Some(1), delay, order, ..link() });
        for _ in 0..10 {
            let large = bench.send((1, 2), (0, u64::MAX), Time::ZERO);
            let Fate::Arrives { at, .. } = large else { panic!("lost") };
            assert!(at >= Time::ZERO + Span::MAX + Span::MAX);
        }
    }
}

#[test]
fn a_clog_holds_and_what_it_held_travels_in_order_of_a_fifo_link() {
    let delay = Distribution::Uniform { low: ms(0), high: ms(50) };
    let mut bench = Bench::over(Link { delay, order: LinkOrder::Fifo, ..link() });
    bench.start(3, NetworkFault::Clog(ends(&[1], &[2], false)));
    bench.start(5, NetworkFault::Clog(ends(&[1], &[1, 2], true)));
    bench.start(6, NetworkFault::Slow(ends(&[1], &[2], false), constant(7)));
    let mut held = Vec::new();
    for _ in 0..50 {
        held.push(bench.packet((1, 2), 0, 1));
        assert_eq!(bench.send((1, 2), (0, 1), at_ms(1)), Fate::Held { fault: 3 });
        assert_eq!(bench.network.take_slowness(), [(6, ms(7))]);
    }
    assert_eq!(bench.send((2, 1), (0, 1), at_ms(1)), Fate::Held { fault: 5 });
    assert_eq!(bench.network.take_slowness(), []);
    bench.network.end(3);
    assert_eq!(bench.network.clog_on(n(1), n(2)), Some(5), "another clog holds them still");
    bench.network.end(5);
    assert_eq!(bench.network.clog_on(n(1), n(2)), None);
    let mut last = at_ms(1_000);
    for packet in held {
        let slower = vec![(6, ms(7))];
        let fate = bench.network.depart(packet, slower, at_ms(1_000), &bench.draws);
        let Fate::Slowed { at, copy } = fate else { panic!("{fate:?}") };
        assert!(at > last && copy.is_none());
        last = at;
    }
    assert!(bench.arrival(at_ms(1_000)) > last, "a message sent after the release overtakes none");
}

#[test]
fn the_client_leg_is_the_last_that_is_meant_and_each_way_has_its_own_draw() {
    let leg = |client: Option<u32>, node: Option<u16>, delay| ClientLeg {
        client: client.map(ClientId),
        node: node.map(n),
        delay: constant(delay),
    };
    let legs = vec![leg(None, Some(1), 10), leg(Some(1), None, 20), leg(Some(1), Some(2), 30)];
    let uniform = Distribution::Uniform { low: ms(0), high: ms(9) };
    let settings =
        Settings { client_delay: uniform, client_legs: legs, ..settings(link(), vec![]) };
    let bench = Bench::new(2, settings);
    let id = CausalId::root(Root::Run, 1, 1);
    let takes = |client, node, leg| {
        bench.network.client_takes(ClientId(client), n(node), id, leg, &bench.draws)
    };
    assert_eq!(
        [takes(0, 1, There), takes(1, 1, There), takes(1, 2, Back)],
        [ms(10), ms(20), ms(30)]
    );
    let (there, back) = (takes(0, 2, There), takes(0, 2, Back));
    assert!(there < ms(9) && back < ms(9) && there != back);
    assert_eq!((takes(0, 2, There), takes(2, 2, Back)), (there, back), "the attempt alone decides");
}
