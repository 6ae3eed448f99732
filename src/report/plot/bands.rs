//! Faults as bands: their names, and the lines above the data on which the names stand.

use crate::explain::chronicle::FaultSpan;

use super::canvas::{Across, Along, Lettering};
use super::lettering::{Weight, text_width};
use super::style::{Color, INK, ORANGE, SMALL, VERMILLION};

/// The height of a line of names, in pixels.
pub(super) const LANE: f64 = 26.0;
/// The most lines of names.
const MOST_LANES: usize = 7;

/// The name of a fault: its id in the scenario, and what it did.
pub(super) fn named(fault: &FaultSpan) -> String {
    format!("{}: {}", fault.name, fault.what)
}

/// The colour of a fault; faults that stop nodes have another one.
pub(super) fn color(fault: &FaultSpan) -> Color {
    if fault.stops.is_empty() { ORANGE } else { VERMILLION }
}

/// The lettering of a fault's name.
pub(super) fn lettering(fault: &FaultSpan) -> Lettering {
    let color = color(fault).toward(INK, 0.35);
    Lettering::new(SMALL, color).bold().anchored(Along::Start, Across::Middle)
}

/// The line of each fault's name, and the number of lines. Names do not overlap unless there are
/// too many. `ends` says where a fault begins and ends, in pixels.
pub(super) fn lanes(
    faults: &[FaultSpan],
    ends: impl Fn(&FaultSpan) -> (f64, f64),
    right: f64,
) -> (Vec<usize>, usize) {
    let mut free = [f64::NEG_INFINITY; MOST_LANES];
    let place = |fault: &FaultSpan| {
        let wide = text_width(&named(fault), SMALL, Weight::Bold) + 14.0;
        let (begin, end) = ends(fault);
        let from = begin.min(right - wide);
        let lane = free.iter().position(|free| *free <= from).unwrap_or(0);
        free[lane] = (from + wide).max(end);
        lane
    };
    let lanes: Vec<usize> = faults.iter().map(place).collect();
    let count = lanes.iter().max().map_or(0, |last| last + 1);
    (lanes, count)
}
