//! The areas of labels, so that none overlap.

use crate::report::plot::canvas::{Area, Point};

/// The areas that are taken.
#[derive(Debug, Default)]
pub(super) struct Labels {
    taken: Vec<Area>,
}

impl Labels {
    /// Takes an area if it is free.
    pub(super) fn take(&mut self, area: Area) -> bool {
        let free = !self.taken.iter().any(|taken| taken.overlaps(&area));
        if free {
            self.taken.push(area);
        }
        free
    }

    /// Blocks an area.
    pub(super) fn block(&mut self, area: Area) {
        self.taken.push(area);
    }
}

/// Whether the straight line between two points goes through an area.
pub(super) fn meets(area: &Area, start: Point, end: Point) -> bool {
    // The part of the line at the height of the area must miss the area's width.
    let (upper, lower) = if start.y <= end.y { (start, end) } else { (end, start) };
    if lower.y < area.top || upper.y > area.bottom {
        return false;
    }
    let x_at = |y: f64| {
        let high = lower.y - upper.y;
        if high == 0.0 { upper.x } else { upper.x + (lower.x - upper.x) * (y - upper.y) / high }
    };
    let (a, b) = (x_at(area.top.max(upper.y)), x_at(area.bottom.min(lower.y)));
    a.min(b) <= area.right && a.max(b) >= area.left
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::plot::canvas::at;

    #[test]
    fn an_area_is_taken_once_and_lines_are_seen_to_cross_it() {
        let area = Area { left: 10.0, top: 10.0, right: 20.0, bottom: 20.0 };
        let mut labels = Labels::default();
        assert!(labels.take(area));
        assert!(!labels.take(area.grown(-1.0)));
        assert!(labels.take(Area { left: 20.0, right: 30.0, ..area }));
        assert!(meets(&area, at(0.0, 0.0), at(30.0, 30.0)));
        assert!(meets(&area, at(15.0, 40.0), at(15.0, 0.0)));
        assert!(!meets(&area, at(0.0, 0.0), at(9.0, 40.0)));
        assert!(!meets(&area, at(0.0, 0.0), at(30.0, 5.0)));
    }
}
