mod common;
use common::*;
use splitbrain::protocol::leader_follower::{LeaderFollower, Mode};
use splitbrain::run::{run, RunOptions};
use splitbrain::time::Span;
#[test]
fn one() {
    let mut c = config(3);
    c.duration = Span::from_secs(1);
    let r = run::<LeaderFollower>(&c, &settings(Mode::SemiSync{write_quorum:1}), 1, RunOptions{trace:true, ..Default::default()});
    println!("{}", r.trace.unwrap());
    println!("{:?} {:?} {} {}", r.messages, r.settlement, r.digest, r.events);
}
#[test]
fn big() {
    let mut c = config(6);
    c.network.default = link(uniform_ms(0,1000));
    c.network.client_delay = uniform_ms(0,1000);
    c.duration = Span::from_secs(10_000_000);
    set_clients(&mut c, 10, 1_000_000);
    for queue in [splitbrain::run::QueueKind::Calendar, splitbrain::run::QueueKind::Heap] {
    let t = std::time::Instant::now();
    let r = run::<LeaderFollower>(&c, &settings(Mode::SemiSync{write_quorum:3}), 1, RunOptions{queue, ..Default::default()});
    let dt = t.elapsed();
    println!("{:?} {:?} {} {} {:?} ns/msg {}", r.messages, r.settlement, r.digest, r.events, dt, dt.as_nanos() as f64 / r.messages.sent as f64);
    }
}
#[test]
fn short() {
    let mut c = config(3);
    c.duration = Span::from_secs(1);
    set_clients(&mut c, 1, 1);
    let t = std::time::Instant::now();
    for s in 0..10000 { std::hint::black_box(run::<LeaderFollower>(&c, &settings(Mode::SemiSync{write_quorum:1}), s, RunOptions::default())); }
    println!("short {:?}", t.elapsed()/10000);
}
