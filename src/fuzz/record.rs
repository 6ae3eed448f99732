//! The lines of a campaign's file: what is kept of each case, and the header above them.

use std::io;

use serde::{Deserialize, Serialize};

use super::coverage::Covered;
use super::identity::{Identity, Shard};
use super::judge::Find;
use crate::report::files::Lines;

/// What is kept of a case.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CaseRecord {
    /// The number of the case.
    pub case: u64,
    /// The digest of the run; `None` when the protocol panicked.
    pub digest: Option<String>,
    /// How many events were played.
    pub events: u64,
    /// The virtual time at which the run ended, in nanoseconds.
    pub virtual_ns: u64,
    /// What must not have happened.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub findings: Vec<Find>,
    /// Whether the verdict of some check is unknown.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unknown: bool,
    /// What the run exercised.
    pub covered: Covered,
}

/// The first line of a campaign's file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CampaignHeader {
    /// The fingerprint of `of`.
    pub campaign: String,
    /// How many cases the whole campaign has: they are numbered from 0 to `runs - 1`.
    pub runs: u64,
    /// Which of them are in the file.
    pub shard: Shard,
    /// What campaign it is.
    pub of: Identity,
}

impl CampaignHeader {
    /// The header of the file that has `shard` of a campaign of `runs` cases.
    pub(super) fn new(of: Identity, runs: u64, shard: Shard) -> Self {
        Self { campaign: of.fingerprint(), runs, shard, of }
    }

    /// Writes it as the first line.
    ///
    /// # Errors
    ///
    /// When the file cannot be written.
    pub(super) fn write(&self, out: &mut impl io::Write) -> io::Result<()> {
        serde_json::to_writer(&mut *out, self)?;
        out.write_all(b"\n")
    }

    /// Reads the first line of a file; `None` when it is no header.
    ///
    /// # Errors
    ///
    /// When the file cannot be read.
    pub(super) fn read(lines: &Lines) -> io::Result<Option<Self>> {
        let mut first = None;
        lines.each(|_, line| {
            first.get_or_insert_with(|| line.to_vec());
            Ok(())
        })?;
        Ok(first.and_then(|line| serde_json::from_slice(&line).ok()))
    }
}
