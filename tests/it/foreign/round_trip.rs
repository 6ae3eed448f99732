//! What is written in any format is read back as it was.

use splitbrain::foreign::{NilMeans, ReadAs};
use splitbrain::id::OpId;
use splitbrain::linearizability::{Expects, Operation, Update};

use super::generate::{Numbers, RegisterEvent, Written, register};
use super::{read_as, verdict};

/// What `nil` is in the histories that are generated.
fn settings() -> ReadAs {
    ReadAs { nil: Some(NilMeans::Initial), ..ReadAs::default() }
}

/// An operation without the numbers that its values have.
#[derive(Debug, PartialEq)]
struct Shape {
    process: u32,
    call: u32,
    ret: u32,
    /// For each step, whether it reads something, reads nothing, and changes the key.
    steps: Vec<(bool, bool, bool)>,
}

fn shapes(text: &str) -> Vec<Shape> {
    let recorded = read_as(text, &settings()).unwrap_or_else(|why| panic!("{why}\n{text}"));
    let shape = |op: usize| {
        let op = OpId(op as u32);
        let Operation { process, call, ret, .. } = *recorded.operations.get(op);
        let steps = recorded.operations.steps(op).iter();
        let steps = steps.map(|step| {
            let shows = matches!(step.expects, Expects::Holds(_));
            let absent = matches!(step.expects, Expects::Absent { .. });
            (shows, absent, step.change != Update::Nothing)
        });
        Shape { process, call, ret, steps: steps.collect() }
    };
    (0..recorded.len()).map(shape).collect()
}

/// What a history must be read as.
fn expected(events: &[RegisterEvent]) -> Vec<Shape> {
    let mut processes = Vec::new();
    let mut shapes: Vec<Shape> = Vec::new();
    for (place, event) in (0..).zip(events) {
        let known = processes.iter().position(|process| *process == event.process);
        let process = known.unwrap_or_else(|| {
            processes.push(event.process);
            processes.len() - 1
        }) as u32;
        if event.happened == "invoke" {
            // Until there is an answer a write may happen, and a read says nothing.
            let steps = event.written.map(|_| (false, false, true)).into_iter().collect();
            shapes.push(Shape { process, call: place, ret: Operation::OPEN, steps });
            continue;
        }
        let mut of_process = shapes.iter_mut().rev().filter(|shape| shape.process == process);
        let shape = of_process.next().expect("it was invoked");
        match (event.happened, event.written) {
            ("ok", Some(_)) => shape.ret = place,
            ("ok", None) => {
                shape.ret = place;
                shape.steps = vec![(event.shown.is_some(), event.shown.is_none(), false)];
            }
            ("fail", _) => shape.steps.clear(),
            _ => {}
        }
    }
    shapes
}

#[test]
fn a_history_is_the_same_in_every_format() {
    let mut numbers = Numbers::new(13);
    for operations in (1..60).chain([2_000]) {
        let events = register(&mut numbers, operations);
        let expected = expected(&events);
        for written in Written::ALL {
            let text = written.text(&events);
            assert_eq!(shapes(&text), expected, "{written:?}\n{text}");
        }
    }
}

#[test]
fn what_is_linearizable_is_valid_in_every_format_and_a_value_from_nowhere_is_not() {
    let mut numbers = Numbers::new(14);
    for operations in 5..40 {
        let mut events = register(&mut numbers, operations);
        for written in Written::ALL {
            let text = written.text(&events);
            assert_eq!(verdict(&text, &settings()), "valid", "{written:?}\n{text}");
        }
        let mut answers = events.iter_mut().filter(|event| event.written.is_none());
        let Some(answer) = answers.find(|event| event.happened == "ok") else { continue };
        answer.shown = Some(1_000_000);
        for written in Written::ALL {
            let text = written.text(&events);
            assert_eq!(verdict(&text, &settings()), "invalid", "{written:?}\n{text}");
        }
    }
}
