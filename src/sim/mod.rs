//! The simulation.

pub mod queue;
