//! The arguments of every command. Comments on fields are the texts of `--help`.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, Parser, Subcommand, ValueHint};
use clap_complete::Shell;

use crate::cli::run::window::WindowArg;
use crate::cli::seeds::{Seeds, SeedsOrCount};
use crate::experiment::charts::Chart;
use crate::foreign::{HistoryFormat, NilMeans};
use crate::fuzz::identity::Shard;
use crate::linearizability::{self, Model};
use crate::named::Named;
use crate::property::Property;
use crate::report::folder::HistoryFile;
use crate::rng::Probability;
use crate::scenario;

/// A deterministic simulator of replicated key-value stores.
///
/// Runs a scenario file under a seed, checks what became of every write, and says which promises
/// held.
#[derive(Debug, Parser)]
#[command(
    name = "splitbrain",
    version,
    after_help = "Exit status: 0 all as expected; 1 a violation or an unmet expectation;\n\
                  2 bad usage or a bad scenario; 3 unknown."
)]
pub(super) struct CommandLine {
    #[command(subcommand)]
    pub(super) command: Command,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Run scenarios and say which promises held
    Run(RunArgs),
    /// Play a scenario with many settings, each under the same seeds: a table, pictures and a
    /// conclusion
    #[command(
        after_help = "Results do not depend on the number of cores. An interrupted sweep goes on \
                      where it was when it is started again.\n\
                      Exit status: 0 every run as expected; 1 some run failed; 2 bad usage or a \
                      bad scenario; 3 some run is unknown."
    )]
    Sweep(SweepArgs),
    /// Play a scenario under several configurations, side by side, with the same luck
    #[command(after_help = "The file as it is comes first, and differences are told from it.\n\
                            Exit status: as for sweep.")]
    Compare(CompareArgs),
    /// Play a scenario with random faults, many times over, and make what is found small
    #[command(
        after_help = "Case i depends on the scenario, the seed and i alone. Results do not depend \
                      on the number of cores. An interrupted campaign goes on where it was when \
                      it is started again, and one that is done goes on from there when more \
                      runs are asked for.\n\
                      Exit status: 0 nothing was found; 1 something was; 2 bad usage or a bad \
                      scenario; 3 nothing was found, but of some run a checker could not tell."
    )]
    Fuzz(FuzzArgs),
    /// Make the parts of a campaign that was played with --shard the whole
    #[command(
        after_help = "The folder gets the very files that the campaign would have written in one \
                      piece. Parts that are missing, doubled, not done or of several campaigns \
                      are refused.\n\
                      Exit status: as for fuzz."
    )]
    Merge(MergeArgs),
    /// Tell what became of one write, or of each lost one, as a causal chain
    #[command(
        after_help = "Exit status: 0 explained, whatever became of the write; 2 bad usage, a bad \
                      scenario or no such write."
    )]
    Explain(ExplainArgs),
    /// Make a failing scenario as small as it can be and still fail in the same way
    #[command(
        after_help = "Exit status: 0 shrunk; 2 bad usage, a bad scenario or nothing that is broken."
    )]
    Shrink(ShrinkArgs),
    /// Name the first event in which two runs differ, and what caused it
    #[command(
        after_help = "One --seed and some --set compare the run with and without the settings; two \
                      --seed compare two seeds.\n\
                      Exit status: 0 the runs are the same; 1 they differ; 2 bad usage or a bad \
                      scenario."
    )]
    Diff(DiffArgs),
    /// Say whether recorded histories are linearizable
    #[command(
        after_help = "A history is linearizable if one copy of the data could have given its \
                      answers. An operation whose outcome is unknown may have happened at any time \
                      after its call, or never.\n\
                      Exit status: 0 all are valid; 1 some are invalid; 2 bad usage, or some \
                      history cannot be read; 3 of some it is unknown, and none is invalid."
    )]
    Check(CheckArgs),
    /// Show what the settings of a scenario promise, on what condition, and why
    #[command(after_help = "Exit status: 0, or 2 for bad usage or a bad scenario.")]
    Promises(PromisesArgs),
    /// Show the scenarios of a folder: names, titles, expected verdicts
    List(ListArgs),
    /// Print the JSON schema of scenario files, for editors
    Schema,
    /// Print the completion script of a shell
    Completions {
        /// Which shell
        shell: Shell,
    },
}

#[derive(Debug, Args)]
pub(super) struct RunArgs {
    /// Scenario files; all are checked before the first one runs
    #[arg(required = true, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(super) files: Vec<PathBuf>,
    /// Run under this seed, in place of the scenario's own
    #[arg(long, value_name = "N", conflicts_with = "seeds")]
    pub(super) seed: Option<u64>,
    /// Run under many seeds: A..B leaves B out, A..=B takes it in
    #[arg(long, value_name = "A..B")]
    pub(super) seeds: Option<Seeds>,
    /// Set something in the scenario, as in network.loss=1%
    #[arg(long = "set", value_name = "PATH=VALUE")]
    pub(super) sets: Vec<String>,
    /// Run everything twice; where the two differ, name the first differing event
    #[arg(long)]
    pub(super) verify: bool,
    /// Write trace.txt too, a line an event
    #[arg(long)]
    pub(super) trace: bool,
    /// Write the history in this format too: edn is history.edn, which Jepsen's tools read
    ///
    /// history.jsonl is written always.
    #[arg(
        long,
        value_name = "FORMAT",
        value_parser = named::<HistoryFile>(),
        default_value = HistoryFile::Jsonl.name()
    )]
    pub(super) history: HistoryFile,
    /// Draw the run over time: timeline.png and timeline.svg beside result.json
    ///
    /// Operations by outcome, latencies, replication lag and who led, with the faults through all
    /// of them.
    #[arg(long)]
    pub(super) plot: bool,
    /// Draw who sent what to whom: diagram.png and diagram.svg beside result.json
    ///
    /// A space-time diagram around the first violation; where there is none around the first fault,
    /// or else of the start.
    #[arg(long)]
    pub(super) diagram: bool,
    /// Draw this stretch of virtual time in the diagram, as in 1s..2500ms
    #[arg(long, value_name = "A..B", requires = "diagram")]
    pub(super) window: Option<WindowArg>,
    /// Print one JSON document to standard output, and the text to standard error
    #[arg(long)]
    pub(super) json: bool,
    /// Where to write result.json and history.jsonl [default: output/SCENARIO/SEED]
    ///
    /// With several files or seeds, each run has a folder beneath it. With --seeds only runs that
    /// did not pass leave one.
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(super) out: Option<PathBuf>,
    /// Print the verdict alone
    #[arg(long, short)]
    pub(super) quiet: bool,
    /// How many runs at a time [default: one for each core]
    #[arg(long, value_name = "N")]
    pub(super) jobs: Option<NonZeroUsize>,
}

/// Which pictures of a sweep to draw.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PictureChoice {
    /// None.
    None,
    /// Every picture that has something to show.
    All,
    /// This one.
    One(Chart),
}

impl PictureChoice {
    fn parser() -> impl TypedValueParser<Value = Self> {
        let names = Chart::all().map(Chart::name).chain(["all", "none"]);
        PossibleValuesParser::new(names).map(|name| match name.as_str() {
            "none" => Self::None,
            name => Chart::by_name(name).map_or(Self::All, Self::One),
        })
    }
}

/// The arguments that `sweep` and `compare` share.
#[derive(Debug, Args)]
pub(super) struct ManyArgs {
    /// The scenario file
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(super) file: PathBuf,
    /// How many seeds, from 1 on; or which, as in 1..=200
    #[arg(long, value_name = "N", default_value = "100")]
    pub(super) seeds: SeedsOrCount,
    /// Set something in the scenario of every point, as in network.loss=1%
    #[arg(long = "set", value_name = "PATH=VALUE")]
    pub(super) sets: Vec<String>,
    /// Where to write the table, the document and the pictures [default: output/SCENARIO/COMMAND]
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(super) out: Option<PathBuf>,
    /// Draw these pictures, and no others [default: those that fit what was varied]
    #[arg(long, value_name = "KIND", value_parser = PictureChoice::parser(), value_delimiter = ',')]
    pub(super) plot: Vec<PictureChoice>,
    /// Print one JSON document to standard output, and the text to standard error
    #[arg(long)]
    pub(super) json: bool,
    /// Print no progress, and with --json no text
    #[arg(long, short)]
    pub(super) quiet: bool,
    /// How many runs at a time [default: one for each core]
    #[arg(long, value_name = "N")]
    pub(super) jobs: Option<NonZeroUsize>,
}

#[derive(Debug, Args)]
pub(super) struct SweepArgs {
    #[command(flatten)]
    pub(super) many: ManyArgs,
    /// A setting and its values: network.loss=0%,1%,5% or cluster.nodes=3..=7; several make a grid
    #[arg(long, required = true, value_name = "PATH=VALUES")]
    pub(super) vary: Vec<String>,
    /// Recommend a point, as in "p99 under 800ms and no loss when one node dies"
    #[arg(long, alias = "wish", value_name = "GOAL")]
    pub(super) goal: Option<String>,
}

#[derive(Debug, Args)]
pub(super) struct CompareArgs {
    #[command(flatten)]
    pub(super) many: ManyArgs,
    /// A configuration: PATH=VALUE, several separated by commas
    #[arg(long, required = true, value_name = "SETTINGS")]
    pub(super) with: Vec<String>,
    /// Recommend a configuration, as in "p99 under 800ms and no loss when one node dies"
    #[arg(long, alias = "wish", value_name = "GOAL")]
    pub(super) goal: Option<String>,
}

/// `--shard I/N`.
fn shard(text: &str) -> Result<Shard, String> {
    let number = |text: &str| text.trim().parse::<u64>().ok();
    let parts =
        text.split_once('/').and_then(|(index, count)| Some((number(index)?, number(count)?)));
    let shard = parts.and_then(|(index, count)| Shard::new(index, count));
    shard.ok_or_else(|| {
        format!("write I/N with I from 1 to N, and N up to {}, as in 2/7", Shard::MOST)
    })
}

/// `--for LENGTH`.
fn length(text: &str) -> Result<Duration, String> {
    match scenario::duration(text)?.nanos() {
        0 => Err("that is no time at all".to_owned()),
        ns => Ok(Duration::from_nanos(ns)),
    }
}

/// `--verify SHARE`.
fn share(text: &str) -> Result<Probability, String> {
    scenario::percentage(text).ok_or_else(|| "write a share from 0% to 100%, as in 5%".to_owned())
}

/// `--stop-after first|N|never`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct StopAfter(pub(super) Option<NonZeroUsize>);

impl FromStr for StopAfter {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "never" => Ok(Self(None)),
            "first" => Ok(Self(Some(NonZeroUsize::MIN))),
            number => match number.parse() {
                Ok(kinds) => Ok(Self(Some(kinds))),
                Err(_) => Err("write first, never, or a number of kinds from 1 on".to_owned()),
            },
        }
    }
}

#[derive(Debug, Args)]
pub(super) struct FuzzArgs {
    // Not a documentation comment: that would read `[fuzz]` as a link.
    #[arg(
        value_name = "FILE",
        value_hint = ValueHint::FilePath,
        help = "The scenario file; its table [fuzz] says what may be drawn"
    )]
    pub(super) file: PathBuf,
    /// How many cases [default: 1000]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=1_000_000_000))]
    pub(super) runs: Option<u64>,
    /// As many cases as there is time for, as in 60s
    #[arg(long = "for", value_name = "TIME", value_parser = length, conflicts_with = "runs")]
    pub(super) lasts: Option<Duration>,
    /// The campaign's seed, in place of the scenario's own
    #[arg(long, value_name = "N")]
    pub(super) seed: Option<u64>,
    /// How many runs at a time [default: one for each core]
    #[arg(long, value_name = "N")]
    pub(super) jobs: Option<NonZeroUsize>,
    /// Play the I-th of N parts of the campaign, every N-th case; `merge` makes the parts the whole
    #[arg(
        long,
        value_name = "I/N",
        value_parser = shard,
        conflicts_with_all = ["lasts", "stop_after"]
    )]
    pub(super) shard: Option<Shard>,
    /// Stop after the first find, after N kinds of find, or never
    #[arg(long, value_name = "first|N|never", default_value = "never")]
    pub(super) stop_after: StopAfter,
    /// Play this share of the cases twice, and find those that are not the same both times
    #[arg(long, value_name = "SHARE", value_parser = share, default_value = "5%")]
    pub(super) verify: Probability,
    /// Set something in the scenario, as in network.loss=1%
    #[arg(long = "set", value_name = "PATH=VALUE")]
    pub(super) sets: Vec<String>,
    /// Where to write the cases, the summary and the small scenarios [default:
    /// output/fuzz/SCENARIO, with --seed seed-N beneath it]
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(super) out: Option<PathBuf>,
    /// Print one JSON document to standard output, and the text to standard error
    #[arg(long)]
    pub(super) json: bool,
    /// Print no progress, and with --json no text
    #[arg(long, short)]
    pub(super) quiet: bool,
}

#[derive(Debug, Args)]
pub(super) struct MergeArgs {
    /// The folder that has the folders of the parts; the whole is written into it
    #[arg(value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(super) dir: PathBuf,
    /// Print one JSON document to standard output, and the text to standard error
    #[arg(long)]
    pub(super) json: bool,
    /// Print no progress, and with --json no text
    #[arg(long, short)]
    pub(super) quiet: bool,
    /// How many finds are made small at a time [default: one for each core]
    #[arg(long, value_name = "N")]
    pub(super) jobs: Option<NonZeroUsize>,
}

#[derive(Debug, Args)]
pub(super) struct ExplainArgs {
    /// The scenario file
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(super) file: PathBuf,
    /// The seed of the run, in place of the scenario's own
    #[arg(long, value_name = "N")]
    pub(super) seed: Option<u64>,
    /// Explain this write, lost or not [default: those that were acknowledged and lost]
    ///
    /// By its value as reports show it (Raleigh, c3.17), by key and value (city=Raleigh) or as a
    /// call (delete city).
    #[arg(long, value_name = "VALUE")]
    pub(super) write: Option<String>,
    /// Show this event of the run instead, and what led to it
    ///
    /// Counted from 1, as in the text of explain and diff; their documents count from 0.
    #[arg(long, value_name = "N", conflicts_with = "write")]
    #[arg(value_parser = clap::value_parser!(u64).range(1..))]
    pub(super) event: Option<u64>,
    /// Set something in the scenario, as in network.loss=1%
    #[arg(long = "set", value_name = "PATH=VALUE")]
    pub(super) sets: Vec<String>,
    /// Print one JSON document to standard output
    #[arg(long)]
    pub(super) json: bool,
}

/// The name of a property.
fn property() -> impl TypedValueParser<Value = Property> {
    let names = Property::all().map(Property::name).collect::<Vec<_>>();
    PossibleValuesParser::new(names).try_map(|name| Property::by_name(&name).ok_or("no property"))
}

#[derive(Debug, Args)]
pub(super) struct ShrinkArgs {
    /// The scenario file
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(super) file: PathBuf,
    /// The seed under which it fails, in place of the scenario's own
    #[arg(
        long,
        value_name = "N",
        value_parser = clap::value_parser!(u64).range(..=i64::MAX as u64)
    )]
    pub(super) seed: Option<u64>,
    /// Keep how it breaks this property [default: what was promised or is expected, else the first
    /// that is broken]
    #[arg(long, value_name = "PROPERTY", value_parser = property())]
    pub(super) check: Option<Property>,
    /// Set something in the scenario, as in network.loss=1%
    #[arg(long = "set", value_name = "PATH=VALUE")]
    pub(super) sets: Vec<String>,
    /// Where to write the small scenario [default: output/shrink/SCENARIO.toml]
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(super) out: Option<PathBuf>,
    /// Print one JSON document to standard output, and the text to standard error
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, Args)]
pub(super) struct DiffArgs {
    /// The scenario file
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(super) file: PathBuf,
    /// The seed of both runs, in place of the scenario's own; given twice, of the first and of the
    /// second
    #[arg(long = "seed", value_name = "N")]
    pub(super) seeds: Vec<u64>,
    /// Set something in the scenario of the second run alone, as in network.loss=1%
    #[arg(long = "set", value_name = "PATH=VALUE")]
    pub(super) sets: Vec<String>,
    /// Print one JSON document to standard output
    #[arg(long)]
    pub(super) json: bool,
}

/// One of the names of an enum.
fn named<E: Named + Send + Sync>() -> impl TypedValueParser<Value = E> {
    let names = E::all().map(Named::name).collect::<Vec<_>>();
    PossibleValuesParser::new(names).try_map(|name| E::by_name(&name).ok_or("no such name"))
}

#[derive(Debug, Args)]
pub(super) struct CheckArgs {
    /// Histories, and folders to look in for histories
    ///
    /// Jepsen's EDN and log lines, Porcupine's logs of a key-value store, and history.jsonl as
    /// `run` writes it.
    #[arg(required = true, value_name = "HISTORY", value_hint = ValueHint::AnyPath)]
    pub(super) histories: Vec<PathBuf>,
    /// What the history is a history of [default: kv for porcupine and jsonl; of the others the
    /// first operation decides]
    ///
    /// Where that reads, writes or compares, it is cas-register; where it acquires or releases,
    /// mutex; else kv.
    #[arg(long, value_name = "MODEL", value_parser = named::<Model>())]
    pub(super) model: Option<Model>,
    /// What the register, or every key, holds at the start
    ///
    /// As the format writes values. A key that does not exist holds nil, and so does a lock that is
    /// free; with any other value somebody has it.
    #[arg(long, value_name = "VALUE", default_value = "nil", allow_hyphen_values = true)]
    pub(super) init: String,
    /// What a read of nil says [default: unknown for registers in EDN, else initial]
    ///
    /// Either nothing, or that the register holds what it held at the start, or that the key does
    /// not exist.
    #[arg(long, value_name = "MEANING", value_parser = named::<NilMeans>())]
    pub(super) nil: Option<NilMeans>,
    /// The format of the histories [default: it is found out]
    #[arg(long, value_name = "FORMAT", value_parser = named::<HistoryFormat>())]
    pub(super) format: Option<HistoryFormat>,
    /// How many steps the search may take before the verdict is unknown
    #[arg(long, value_name = "N", default_value_t = linearizability::BUDGET)]
    pub(super) budget: u64,
    /// Print an order in which the operations of a valid history may have happened
    #[arg(long)]
    pub(super) order: bool,
    /// Print one JSON document, a list with an object for each history that could be read
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, Args)]
pub(super) struct PromisesArgs {
    /// Scenario file
    #[arg(value_hint = ValueHint::FilePath)]
    pub(super) file: PathBuf,
    /// Change a setting, as often as needed: network.loss=2%
    #[arg(long = "set", value_name = "PATH=VALUE")]
    pub(super) sets: Vec<String>,
    /// Print one JSON document
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, Args)]
pub(super) struct ListArgs {
    /// The folder to look in, and in all folders beneath it
    #[arg(default_value = "scenarios", value_hint = ValueHint::DirPath)]
    pub(super) dir: PathBuf,
    /// Print one JSON document
    #[arg(long)]
    pub(super) json: bool,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn shards_and_stops_are_read_as_they_are_meant() {
        assert_eq!(shard("2/7"), Ok(Shard::new(2, 7).expect("one")));
        for text in ["0/7", "8/7", "1", "1/0", "/", "-1/2", "1/10001", "a/b", "1/2/3"] {
            assert!(shard(text).expect_err(text).starts_with("write I/N"), "{text}");
        }
        let stop = |text: &str| text.parse::<StopAfter>().ok().map(|stop| stop.0.map(usize::from));
        assert_eq!(
            [stop("never"), stop("first"), stop("3")],
            [Some(None), Some(Some(1)), Some(Some(3))]
        );
        assert_eq!([stop("0"), stop("-1"), stop("second"), stop("")], [None; 4]);
        assert_eq!(length("1500ms"), Ok(Duration::from_millis(1500)));
        assert!(length("0s").is_err() && length("60").is_err());
        assert!(share("101%").is_err() && share("5").is_err() && share("0%").is_ok());
    }

    #[test]
    fn the_command_line_contradicts_itself_nowhere() {
        CommandLine::command().debug_assert();
    }
}
