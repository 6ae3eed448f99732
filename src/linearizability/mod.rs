//! Linearizability: could one copy of the data have given these answers?
//!
//! A history is linearizable if every operation can be given a moment between its call and its
//! return such that operations taking effect one after another at these moments give exactly the
//! answers that were given (Herlihy and Wing, 1990). This module knows no node, version rule or
//! clock: histories recorded elsewhere are checked like those of our own runs.
//!
//! [`check`] goes from the cheap to the exact:
//!
//! 1. `order`: the order that the answers give. Where versions order all writes, that order is
//!    tried. If it fits, the history is linearizable; if not, nothing is said yet.
//! 2. `split`: a history is linearizable if its part on each key is (Herlihy and Wing's
//!    locality), as long as no operation is on several keys.
//! 3. `zones`: on a key whose values are all different, in O(n log n).
//! 4. `search`: everything else, and operations on several keys, in a number of steps that is
//!    bounded by a budget. The budget counts steps, not seconds, so a verdict is the same on every
//!    machine.
//!
//! What is not linearizable comes with a [`Contradiction`].

pub use judge::{BUDGET, check, linearize};
pub use model::{Answered, Asked, Content, Expects, Model, Step, Update};
pub use operations::{Operation, Operations, Others};
pub use witness::{Contradiction, EndOf, Judgement, Why};

#[cfg(test)]
mod brute;
mod judge;
mod model;
mod operations;
mod order;
mod search;
mod split;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
mod witness;
mod zones;
