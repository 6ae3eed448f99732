//! Random histories for the tests, in every format.

use std::fmt::Write as _;

/// The numbers of SplitMix64: the same ones for the same seed.
pub(super) struct Numbers(u64);

impl Numbers {
    pub(super) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A number below `limit`, which is not 0.
    pub(super) fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((bits ^ (bits >> 31)) % limit as u64) as usize
    }
}

/// An event of a client of a register.
#[derive(Clone, Copy, Debug)]
pub(super) struct RegisterEvent {
    pub(super) process: usize,
    pub(super) happened: &'static str,
    /// The value written; `None` for a read.
    pub(super) written: Option<usize>,
    /// What the read shows.
    pub(super) shown: Option<usize>,
}

/// A history of one register that is linearizable by construction: every operation takes effect at
/// its completion, or never where its outcome is unknown. Every value is written once.
pub(super) fn register(numbers: &mut Numbers, operations: usize) -> Vec<RegisterEvent> {
    let (mut events, mut waiting) = (Vec::new(), Vec::<RegisterEvent>::new());
    let mut idle: Vec<usize> = (0..4).collect();
    let (mut holds, mut values, mut processes, mut invoked) = (None, 0, 4, 0);
    while invoked < operations || !waiting.is_empty() {
        if invoked < operations && !idle.is_empty() && numbers.below(2) == 0 {
            let process = idle.swap_remove(numbers.below(idle.len()));
            values += 1;
            let written = (numbers.below(2) == 0).then_some(values);
            let event = RegisterEvent { process, happened: "invoke", written, shown: None };
            events.push(event);
            waiting.push(event);
            invoked += 1;
        } else if !waiting.is_empty() {
            let mut event = waiting.swap_remove(numbers.below(waiting.len()));
            event.happened = ["ok", "ok", "ok", "fail", "info"][numbers.below(5)];
            if event.happened == "ok" {
                holds = event.written.or(holds);
                event.shown = holds;
            }
            if event.happened == "info" {
                idle.push(processes);
                processes += 1;
            } else {
                idle.push(event.process);
            }
            events.push(event);
        }
    }
    events
}

/// How the tests write a history of a register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Written {
    Maps,
    Vector,
    Tuples,
    Lines,
    Keyed,
    LogLines,
    Porcupine,
    Jsonl,
}

impl Written {
    pub(super) const ALL: [Self; 8] = [
        Self::Maps,
        Self::Vector,
        Self::Tuples,
        Self::Lines,
        Self::Keyed,
        Self::LogLines,
        Self::Porcupine,
        Self::Jsonl,
    ];

    /// The text of a history.
    pub(super) fn text(self, events: &[RegisterEvent]) -> String {
        let lines: String = events.iter().map(|event| self.line(event)).collect();
        if self == Self::Vector { format!("[{lines}]\n") } else { lines }
    }

    fn line(self, event: &RegisterEvent) -> String {
        let RegisterEvent { process, happened, written, shown } = *event;
        let f = if written.is_some() { "write" } else { "read" };
        let value = written.or(shown);
        let edn = value.map_or("nil".to_owned(), |value| value.to_string());
        let mut line = String::new();
        let _ = match self {
            Self::Maps | Self::Vector => {
                write!(line, "{{:process {process}, :type :{happened}, :f :{f}, :value {edn}}}")
            }
            Self::Tuples => write!(line, "[{process} :{happened} :{f} {edn}]"),
            Self::Lines => write!(line, "{process}\t:{happened}\t:{f}\t{edn}"),
            Self::Keyed => {
                write!(line, "{{:f :{f} :value [7 {edn}] :type :{happened} :process {process}}}")
            }
            Self::LogLines => {
                write!(line, "INFO  jepsen.util - {process}\t:{happened}\t:{f}\t{edn}")
            }
            Self::Porcupine => {
                let f = if written.is_some() { "put" } else { "get" };
                let text = match value {
                    None if happened == "invoke" => "nil".to_owned(),
                    value => format!("\"{}\"", value.map_or(String::new(), |v| format!("<{v}>"))),
                };
                let head = format!("{{:process {process}, :type :{happened}, :f :{f}");
                write!(line, "{head}, :key \"k\", :value {text}}}")
            }
            Self::Jsonl => {
                let f = if written.is_some() { "put" } else { "get" };
                let value = value.map_or("null".to_owned(), |value| format!("\"{value}\""));
                write!(
                    line,
                    r#"{{"time_ns":5,"event":"{happened}","process":"c{process}","f":"{f}","#
                )
                .and_then(|()| write!(line, r#""key":"k","value":{value},"node":null}}"#))
            }
        };
        line + "\n"
    }
}
