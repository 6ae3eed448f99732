//! Histories that others recorded, turned into [`Operations`](crate::linearizability::Operations).
//!
//! A file goes through three stages. A format (`edn`, `log_line`, `porcupine`, `jsonl`) reads
//! events from the text, which is held a stretch at a time. The recorder pairs invocations and
//! completions. Then each operation becomes what it says of its keys: an operation that failed says
//! nothing, one whose outcome is unknown stays open to the end, a read without an answer says
//! nothing.

use std::io::Read;

use crate::linearizability::{Asked, Content, Model};

pub use detect::FIRST;
pub use mistake::Mistake;
pub use recorded::Recorded;
pub use settings::{HistoryFormat, NilMeans, ReadAs};

use edn::{Dialect, EdnReader};
use recorder::Recorder;
use steps::Beginning;
use text::HeldText;

mod detect;
mod edn;
mod forms;
mod jsonl;
mod log_line;
mod mistake;
mod pieces;
mod porcupine;
mod recorded;
mod recorder;
mod settings;
mod steps;
mod symbols;
mod text;
mod versions;

/// Reads a history. `name` is what mistakes call the file.
///
/// # Errors
///
/// The first mistake in the text, or why it cannot be read.
pub fn read(name: &str, input: impl Read, how: &ReadAs) -> Result<Recorded, Mistake> {
    let mut text = HeldText::new(name, input);
    while text.rest().len() < FIRST && !text.is_last() {
        text.more()?;
    }
    text.drop_mark();
    if text.rest().trim_ascii().is_empty() && text.is_last() {
        return Err(text.broken().unwrap_or_else(|| {
            Mistake::of_file(name, "the file is empty", "expected a history of operations")
        }));
    }
    let format = match how.format.or_else(|| detect::detect(text.rest())) {
        Some(format) => format,
        None => return Err(text.broken().unwrap_or_else(|| undetected(name))),
    };
    let mut recorder = Recorder::new();
    let initial = match how.init.as_deref() {
        None | Some("nil") => None,
        Some(init) => Some(initial(name, init, format, &mut recorder)?),
    };
    let model = parse(&mut text, format, how.model, &mut recorder)?;
    let Some(model) = model.filter(|_| !recorder.ops.is_empty()) else {
        let title = "no client invokes anything in this history";
        let help = match recorder.nemesis {
            0 => "expected operations of clients".to_owned(),
            1 => "expected operations of clients; there is an event of the nemesis".to_owned(),
            events => {
                format!("expected operations of clients; there are {events} events of the nemesis")
            }
        };
        return Err(Mistake::of_file(name, title, &help));
    };
    Ok(recorded(recorder, format, model, initial.as_deref(), how.nil))
}

/// Whether a text that begins with these bytes may be a history.
#[must_use]
pub fn is_history(first: &[u8]) -> bool {
    detect::detect(text::without_mark(first)).is_some()
}

fn undetected(name: &str) -> Mistake {
    let help = "name it by --format: edn, log-line, porcupine or jsonl";
    Mistake::of_file(name, "this begins like no history that is known", help)
}

/// Reads the text and gives the model, which may depend on the first operation.
fn parse<R: Read>(
    text: &mut HeldText<R>,
    format: HistoryFormat,
    model: Option<Model>,
    recorder: &mut Recorder,
) -> Result<Option<Model>, Mistake> {
    let of_maps = model.unwrap_or(Model::Kv);
    match format {
        HistoryFormat::Jsonl | HistoryFormat::Porcupine if of_maps != Model::Kv => {
            let help = "leave out --model, or name the right --format";
            return Err(Mistake::of_file(text.name(), "this format is of the model kv", help));
        }
        HistoryFormat::Jsonl => jsonl::read(text, recorder)?,
        HistoryFormat::Porcupine => {
            EdnReader::new(Dialect::Porcupine, Some(of_maps)).read(text, recorder)?;
        }
        HistoryFormat::Edn => {
            let mut reader = EdnReader::new(Dialect::Jepsen, model);
            reader.read(text, recorder)?;
            return Ok(reader.model());
        }
        HistoryFormat::LogLine => {
            let mut reader = EdnReader::new(Dialect::LogLine, model);
            log_line::read(&mut reader, text, recorder)?;
            return Ok(reader.model());
        }
    }
    Ok(Some(of_maps))
}

/// What every key holds at the start, as the format writes values: the text itself, which is the
/// first value of the recorder.
fn initial(
    name: &str,
    init: &str,
    format: HistoryFormat,
    recorder: &mut Recorder,
) -> Result<Vec<u8>, Mistake> {
    let text = match format {
        HistoryFormat::Jsonl | HistoryFormat::Porcupine => Some(init.as_bytes().to_vec()),
        HistoryFormat::Edn | HistoryFormat::LogLine => edn::one_value(init),
    };
    let text = text.ok_or_else(|| {
        let help = "expected one value, as 0 or nil or \"a\"";
        Mistake::of_file(name, &format!("`{init}` is no initial value in EDN"), help)
    })?;
    recorder.values.intern(&text);
    Ok(text)
}

fn recorded(
    recorder: Recorder,
    format: HistoryFormat,
    model: Model,
    initial: Option<&[u8]>,
    nil: Option<NilMeans>,
) -> Recorded {
    let says_nothing = format == HistoryFormat::Edn && model != Model::Kv;
    let by_default = if says_nothing { NilMeans::Unknown } else { NilMeans::Initial };
    let operations = if format == HistoryFormat::Porcupine {
        pieces::operations(&recorder, initial.unwrap_or_default())
    } else {
        let initial = match (initial, model) {
            (None, _) => Content::ABSENT,
            (Some(_), Model::Mutex) => Asked::HELD,
            (Some(_), _) => Content::value(0),
        };
        let (nil, has_keys) = (nil.unwrap_or(by_default), model == Model::Kv);
        steps::operations(&recorder, Beginning { initial, nil, has_keys })
    };
    let Recorder { ops, processes, keys, values, elements, items, .. } = recorder;
    let has_keys = keys.len() > 0;
    Recorded { operations, model, format, ops, has_keys, processes, keys, values, elements, items }
}
