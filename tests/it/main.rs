//! The integration tests: splitbrain from outside, through its public API, its commands and its
//! files.
//!
//! They are one crate, so that the library is linked once. `cargo test --test it kernel::time` runs
//! the tests of one file. `tests/golden.rs` stands alone: it is run in an optimised build as well.

/// What several tests share: clusters in code, short stories, the scenarios that are shipped.
mod support {
    pub(crate) mod cli;
    pub(crate) mod cluster;
    pub(crate) mod result;
    pub(crate) mod scenario;
    pub(crate) mod story;
}

/// The simulation, whatever protocol runs on it: time, clients, disks, faults, draws, determinism.
mod kernel {
    mod after_faults;
    mod determinism;
    mod disk;
    mod fault_triggers;
    mod faults;
    mod guards;
    mod keyed_draws;
    mod log_moments;
    mod refused_connections;
    mod script_draws;
    mod sessions;
    mod settling;
    mod states_at_faults;
    mod time;
    mod workload;
    mod workload_as_script;
}

/// Protocols: what ships, behaviour by behaviour, and one that another crate could have written.
mod protocol {
    /// Leader-follower replication.
    mod leader_follower {
        mod acknowledgements;
        mod appends;
        mod batches;
        mod checkpoints;
        mod clients;
        mod compare_and_set;
        mod course_store;
        mod failover;
        mod in_sync;
        mod last_write_wins;
        mod quorum_reads;
        mod resend;
        mod status;
        mod timestamps;
        mod tombstones;
        mod unique_versions;
        mod write_ahead_log;
    }
    mod custom;
    mod harness;
    mod transcripts;
}

/// Verdicts: what is promised, what is counted, and a second implementation to compare with.
mod check {
    mod bounds;
    mod histories_out;
    mod last_write;
    mod mechanisms;
    mod oracle;
    mod promises;
    mod random_schedules;
    mod safeguards;
}

/// Campaigns and shrinking, and the finds that were kept.
mod fuzz {
    mod campaign;
    mod draws;
    mod finds;
    mod regressions;
    mod shrink;

    /// A broken protocol, to be found.
    mod faulty;
}

mod foreign;

/// Scenario files: reading, mistakes, editing.
mod scenario {
    mod documents;
    mod files;
    mod mistakes;
}

/// The commands as they are called from a shell.
mod cli {
    mod check;
    mod explain;
    mod promises;
    mod run;
    mod sweep;
    mod usage;
}

/// README.md and its pictures are up to date.
mod docs {
    mod gallery;
    mod readme;
}
