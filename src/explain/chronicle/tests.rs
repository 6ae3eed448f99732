//! A second look at small runs: every message accounted for, every spell and every fault in its
//! place.

use super::*;
use crate::explain::sample::PlayedRun;

const SCENARIO: &str = r#"
title = "One fault of each kind"
duration = "2s"
[cluster]
nodes = 3
[network]
delay = "5ms"
loss = "5%"
duplication = "5%"
client-delay = "1ms"
[protocol.leader-follower]
mode = "async"
[workload]
clients = 2
operations = 120
keys = 5
mix = { put = 1 }
think = { constant = "20ms" }
[[fault]]
id = "split"
at = "200ms"
for = "200ms"
partition = [["n1", "c1"], ["n2", "n3"]]
[[fault]]
id = "stop"
at = "500ms"
for = "100ms"
crash = "n2"
[[fault]]
id = "nap"
at = "700ms"
for = "50ms"
pause = "n3"
[[fault]]
id = "clog"
at = "900ms"
for = "100ms"
clog = { from = "n1", to = "n2" }
"#;

fn ms(ms: u64) -> Time {
    Time::from_nanos(ms * 1_000_000)
}

fn window(from: u64, until: u64) -> Window {
    Window { from: ms(from), until: ms(until) }
}

#[test]
fn every_message_is_there_once_and_its_fate_is_the_one_that_was_counted() {
    let all = Window { from: Time::ZERO, until: Time::MAX };
    let played = PlayedRun::of(SCENARIO, 7);
    let (result, chronicle) = (&played.result, played.within(all));
    assert_eq!(chronicle.digest, Some(result.digest), "it is the same run");
    let count = |wanted: fn(&Delivery) -> bool| {
        chronicle.transmissions.iter().filter(|transmission| wanted(&transmission.delivery)).count()
            as u64
    };
    let counts = &result.messages;
    assert_eq!(chronicle.transmissions.len() as u64, counts.sent + counts.duplicated);
    assert_eq!(count(|delivery| matches!(delivery, Delivery::Arrived(_))), counts.delivered);
    assert_eq!(count(|delivery| *delivery == Delivery::Blocked), counts.blocked);
    let lost = |delivery: &Delivery| matches!(delivery, Delivery::Lost | Delivery::Undelivered(_));
    assert_eq!(count(lost), counts.lost);
    assert!(count(|delivery| matches!(delivery, Delivery::Undelivered(_))) > 0, "n2 was down");
    assert!(counts.blocked > 0 && counts.duplicated > 0);
    let held: Vec<_> = chronicle
        .transmissions
        .iter()
        .filter(|transmission| transmission.held_until.is_some())
        .collect();
    assert!(!held.is_empty());
    assert!(held.iter().all(|transmission| transmission.held_until == Some(ms(1000))));
    let writes =
        chronicle.transmissions.iter().filter(|transmission| transmission.kind == "replicate");
    assert!(
        writes.clone().count() > 0
            && writes.clone().all(|transmission| transmission.carries.len() == 1)
    );
}

#[test]
fn a_window_has_the_messages_that_are_under_way_in_it() {
    let played = PlayedRun::of(SCENARIO, 7);
    let all = played.within(Window { from: Time::ZERO, until: Time::MAX });
    let part = window(300, 420);
    let some = played.within(part);
    let touches = |transmission: &&Transmission| {
        let until = match transmission.delivery {
            Delivery::Arrived(at) | Delivery::Undelivered(at) | Delivery::UnderWay(at) => at,
            Delivery::Lost | Delivery::Blocked | Delivery::Held => transmission.sent_at,
        };
        part.meets(Window { from: transmission.sent_at, until })
    };
    let expected: Vec<&Transmission> = all.transmissions.iter().filter(touches).collect();
    assert!(expected.len() > 10);
    assert_eq!(some.transmissions.iter().collect::<Vec<_>>(), expected);
    let none = played.chronicle;
    assert_eq!((none.transmissions.len(), none.node_events.len()), (0, all.node_events.len()));
}

#[test]
fn lives_have_no_gaps_and_faults_last_as_long_as_what_they_did() {
    let PlayedRun { chronicle, faults, .. } = PlayedRun::of(SCENARIO, 7);
    let spells = chronicle.spells(3);
    for node in NodeId::all(3) {
        let mine: Vec<_> = spells.iter().filter(|spell| spell.node == node).collect();
        assert_eq!(mine[0].window.from, Time::ZERO);
        assert_eq!(mine[mine.len() - 1].window.until, chronicle.ended_at);
        assert!(mine.windows(2).all(|two| two[0].window.until == two[1].window.from));
    }
    let down: Vec<_> = spells.iter().filter(|spell| spell.life == Life::Down).collect();
    assert_eq!((down.len(), down[0].node, down[0].window), (1, NodeId(1), window(500, 600)));
    let paused: Vec<_> = spells.iter().filter(|spell| spell.life == Life::Paused).collect();
    assert_eq!((paused.len(), paused[0].window), (1, window(700, 750)));
    let told: Vec<_> =
        faults.iter().map(|fault| (fault.name.as_str(), fault.window, fault.stops.len())).collect();
    let expected = [
        ("split", window(200, 400), 0),
        ("stop", window(500, 600), 1),
        ("nap", window(700, 750), 1),
        ("clog", window(900, 1000), 0),
    ];
    assert_eq!(told, expected);
    assert_eq!(faults[0].what, "partition n1 c1 | n2 n3");
}
