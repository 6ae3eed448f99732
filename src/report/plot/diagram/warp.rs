//! The broken time axis of a diagram.

use crate::explain::chronicle::{Delivery, Window};
use crate::time::{Span, Time};

use super::model::Diagram;

/// The width of a break in pixels.
const BREAK: f64 = 46.0;
/// The most breaks.
const MOST_BREAKS: usize = 14;
/// The width of a message with a typical delay, in pixels, if breaks can achieve it.
const SLANT: f64 = 34.0;

/// A piece of the axis.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Piece {
    window: Window,
    left: f64,
    right: f64,
    is_break: bool,
}

/// The mapping from time to place.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Warp {
    pieces: Vec<Piece>,
}

impl Warp {
    pub(super) fn new(diagram: &Diagram, left: f64, right: f64) -> Self {
        let typical = typical(diagram);
        let window = diagram.window;
        let whole = window.until.since(window.from).nanos().max(1) as f64;
        let wide = right - left;
        // No breaks if the slant is visible without them.
        let gaps = if wide * typical / whole >= SLANT {
            Vec::new()
        } else {
            let instants = instants(diagram);
            let all = gaps(&instants, typical, 4.0 * typical);
            let kept = whole - all.iter().map(|gap| length(*gap)).sum::<f64>();
            // A break must be much shorter than what it leaves out.
            gaps(&instants, typical, (4.0 * typical).max(kept / wide * 3.0 * BREAK))
        };
        let kept = whole - gaps.iter().map(|gap| length(*gap)).sum::<f64>();
        let scale = (wide - BREAK * gaps.len() as f64) / kept.max(1.0);
        let mut pieces = Vec::new();
        let (mut now, mut x) = (window.from, left);
        for gap in gaps {
            let until = x + length(Window { from: now, until: gap.from }) * scale;
            pieces.push(Piece {
                window: Window { from: now, until: gap.from },
                left: x,
                right: until,
                is_break: false,
            });
            pieces.push(Piece { window: gap, left: until, right: until + BREAK, is_break: true });
            (now, x) = (gap.until, until + BREAK);
        }
        let last = Window { from: now, until: window.until };
        pieces.push(Piece { window: last, left: x, right, is_break: false });
        Self { pieces }
    }

    /// The horizontal place of a time, in pixels. Times outside the window lie at its nearer edge.
    pub(super) fn x(&self, time: Time) -> f64 {
        let (first, last) = (self.pieces[0], self.pieces[self.pieces.len() - 1]);
        self.beyond(time).clamp(first.left, last.right)
    }

    /// The same, but times outside the window lie beyond its edge, on the scale there.
    pub(super) fn beyond(&self, time: Time) -> f64 {
        let last = self.pieces.len() - 1;
        let within = self.pieces.iter().position(|piece| time <= piece.window.until);
        let piece = self.pieces[within.unwrap_or(last)];
        let gone = time.nanos() as f64 - piece.window.from.nanos() as f64;
        let share = gone / length(piece.window).max(1.0);
        piece.left + (piece.right - piece.left) * share
    }

    /// The breaks: where each begins and ends in pixels, and how long it is.
    pub(super) fn breaks(&self) -> Vec<(f64, f64, String)> {
        let breaks = self.pieces.iter().filter(|piece| piece.is_break);
        breaks.map(|piece| (piece.left, piece.right, span(piece.window).short())).collect()
    }

    /// The times to write at the axis: round ones, and one near the middle of a piece without any.
    pub(super) fn ticks(&self) -> Vec<(Time, String)> {
        let scale = self
            .pieces
            .iter()
            .filter(|piece| !piece.is_break)
            .map(|piece| (piece.right - piece.left) / length(piece.window).max(1.0));
        let step = step((130.0 / scale.fold(f64::MIN_POSITIVE, f64::max)) as u64);
        let mut ticks = Vec::new();
        for piece in self.pieces.iter().filter(|piece| !piece.is_break) {
            let first = piece.window.from.nanos().div_ceil(step);
            let before = ticks.len();
            for place in (first..).take_while(|place| place * step <= piece.window.until.nanos()) {
                ticks.push((Time::from_nanos(place * step), moment(place * step, step)));
            }
            if ticks.len() == before {
                let middle = f64::midpoint(
                    piece.window.from.nanos() as f64,
                    piece.window.until.nanos() as f64,
                );
                let unit = step.min(1_000_000);
                let near = (middle / unit as f64).round() as u64 * unit;
                if piece.window.contains(Time::from_nanos(near)) {
                    ticks.push((Time::from_nanos(near), moment(near, unit)));
                }
            }
        }
        ticks
    }
}

fn span(window: Window) -> Span {
    window.until.since(window.from)
}

fn length(window: Window) -> f64 {
    span(window).nanos() as f64
}

/// The least of 1, 2 and 5 times a power of ten that is at least `ns`.
fn step(ns: u64) -> u64 {
    let decades = (0..19).map(|power| 10_u64.pow(power));
    let mut steps = decades.flat_map(|ten| [1, 2, 5].map(|times| ten.saturating_mul(times)));
    steps.find(|step| *step >= ns).unwrap_or(u64::MAX)
}

/// A time in seconds, with as many decimals as `unit` needs.
fn moment(ns: u64, unit: u64) -> String {
    let decimals = (0..9).find(|power| unit.is_multiple_of(10_u64.pow(9 - power))).unwrap_or(9);
    let decimals = decimals as usize;
    let fraction = format!("{:09}", ns % 1_000_000_000);
    match decimals {
        0 => format!("{} s", ns / 1_000_000_000),
        _ => format!("{}.{} s", ns / 1_000_000_000, &fraction[..decimals]),
    }
}

/// The median delay of messages, in nanoseconds.
fn typical(diagram: &Diagram) -> f64 {
    let mut lengths: Vec<u64> = diagram
        .arrows
        .iter()
        .filter_map(|arrow| match arrow.delivery {
            Delivery::Arrived(at) if arrow.held_until.is_none() => {
                Some(at.since(arrow.sent_at).nanos())
            }
            _ => None,
        })
        .filter(|ns| *ns > 0)
        .collect();
    lengths.sort_unstable();
    let whole = span(diagram.window).nanos();
    let fallback = whole / 40;
    lengths.get(lengths.len() / 2).copied().unwrap_or(fallback).max(1) as f64
}

/// The times at which something that is drawn begins or ends, in order; the window's ends are the
/// first and the last.
fn instants(diagram: &Diagram) -> Vec<Time> {
    let mut all = vec![diagram.window.from, diagram.window.until];
    for arrow in &diagram.arrows {
        all.push(arrow.sent_at);
        all.extend(arrow.held_until);
        match arrow.delivery {
            Delivery::Arrived(at) | Delivery::Undelivered(at) | Delivery::UnderWay(at) => {
                all.push(at);
            }
            Delivery::Lost | Delivery::Blocked | Delivery::Held => {}
        }
    }
    let spells = diagram.spells.iter().map(|spell| spell.window);
    let faults = diagram.faults.iter().map(|fault| fault.window);
    let operations = diagram.operations.iter().map(|operation| operation.window);
    for window in spells.chain(faults).chain(operations) {
        all.extend([window.from, window.until]);
    }
    all.extend(diagram.moment);
    all.retain(|time| diagram.window.contains(*time));
    all.sort_unstable();
    all.dedup();
    all
}

/// The long gaps in which nothing happens, without a margin on either side.
fn gaps(instants: &[Time], typical: f64, mut least: f64) -> Vec<Window> {
    loop {
        let long = instants.windows(2).filter_map(|ends| {
            let gap = Window { from: ends[0], until: ends[1] };
            let margin = typical as u64;
            (length(gap) > least).then(|| Window {
                from: gap.from + Span::from_nanos(margin),
                until: Time::from_nanos(gap.until.nanos() - margin),
            })
        });
        let long: Vec<Window> = long.collect();
        if long.len() <= MOST_BREAKS {
            return long;
        }
        least *= 1.3;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::plot::diagram::{Arrow, MessageClass};

    fn ms(ms: u64) -> Time {
        Time::from_nanos(ms * 1_000_000)
    }

    fn diagram(sent: &[u64]) -> Diagram {
        let arrow = |at: &u64| Arrow {
            from: 0,
            to: 1,
            sent_at: ms(*at),
            delivery: Delivery::Arrived(ms(at + 5)),
            held_until: None,
            class: MessageClass::Write,
            label: String::new(),
            subject: false,
        };
        Diagram {
            caption: Default::default(),
            window: Window { from: ms(0), until: ms(10_000) },
            moment: None,
            rows: Vec::new(),
            spells: Vec::new(),
            faults: Vec::new(),
            arrows: sent.iter().map(arrow).collect(),
            operations: Vec::new(),
        }
    }

    #[test]
    fn long_silences_are_cut_out_and_time_never_runs_backwards() {
        let warp = Warp::new(&diagram(&[1000, 1010, 6000]), 0.0, 1000.0);
        assert_eq!(warp.breaks().len(), 3);
        assert!(warp.x(ms(1005)) - warp.x(ms(1000)) > 20.0, "a flight has a slant");
        let slants = [1000, 6000].map(|at| warp.x(ms(at + 5)) - warp.x(ms(at)));
        assert!((slants[0] - slants[1]).abs() < 1e-6, "one scale: {slants:?}");
        let xs: Vec<f64> = (0..=1000).map(|i| warp.x(ms(i * 10))).collect();
        assert!(xs.windows(2).all(|two| two[0] <= two[1]));
        assert_eq!((xs[0], xs[1000]), (0.0, 1000.0));
        assert_eq!(warp.x(ms(20_000)), 1000.0);
        assert!(warp.beyond(ms(20_000)) > 1000.0);
        assert!(warp.ticks().iter().any(|(at, label)| *at == ms(6000) && label.starts_with("6.0")));
    }

    #[test]
    fn an_axis_that_needs_no_break_has_none_and_many_silences_share_few() {
        let busy: Vec<u64> = (0..100).map(|i| i * 100).collect();
        assert!(Warp::new(&diagram(&busy), 0.0, 1500.0).breaks().len() <= MOST_BREAKS);
        let mut slow = diagram(&[1000]);
        slow.arrows[0].delivery = Delivery::Arrived(ms(1500));
        assert_eq!(Warp::new(&slow, 0.0, 1000.0).breaks(), []);
    }
}
