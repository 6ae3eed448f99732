//! What a sweep says: its statistics over many seeds, and the closed forms that they ought to agree with.
//!
//! A sweep plays points (configurations) under the same seeds. [`statistics`] says what the runs of a point show and
//! how far to trust it; [`order_statistics`] says what a quorum's wait must be when nothing but delays matters.

pub mod order_statistics;
pub mod statistics;
