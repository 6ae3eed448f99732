//! Interning: every name of the file gets a small id.

use std::collections::BTreeMap;

use crate::id::{ClientId, FaultId, KeyId, Value};
use crate::names::Names;
use crate::operation::Batches;

/// Texts by id: the first `made` are a letter and a number, the rest are in order of appearance.
#[derive(Clone, Debug, Default)]
struct Interner {
    letter: char,
    made: u32,
    extra: Vec<String>,
    ids: BTreeMap<String, u32>,
}

impl Interner {
    const fn new(letter: char, made: u32) -> Self {
        Self { letter, made, extra: Vec::new(), ids: BTreeMap::new() }
    }

    fn is_made(&self, text: &str) -> Option<u32> {
        let number = u32::try_from(numbered(self.letter, text)?).ok()?;
        (1..=self.made).contains(&number).then(|| number - 1)
    }

    fn find(&self, text: &str) -> Option<u32> {
        self.is_made(text).or_else(|| self.ids.get(text).copied())
    }

    fn intern(&mut self, text: &str) -> u32 {
        if let Some(id) = self.find(text) {
            return id;
        }
        // A file has at most 16 MiB, so the count fits.
        let id = self.made + self.extra.len() as u32;
        self.extra.push(text.to_owned());
        self.ids.insert(text.to_owned(), id);
        id
    }

    fn into_texts(self) -> Vec<String> {
        let made = (1..=self.made).map(|number| format!("{}{number}", self.letter));
        made.chain(self.extra).collect()
    }
}

/// Every name of a scenario while it is decoded.
#[derive(Clone, Debug, Default)]
pub(super) struct Interned {
    keys: Interner,
    clients: Interner,
    values: Interner,
    faults: Vec<String>,
    pub(super) batches: Batches,
}

impl Interned {
    /// The names of a workload's clients and keys.
    pub(super) fn new(clients: u32, keys: u32) -> Self {
        Self {
            keys: Interner::new('k', keys),
            clients: Interner::new('c', clients),
            values: Interner::new('v', 0),
            faults: Vec::new(),
            batches: Batches::default(),
        }
    }

    pub(super) fn key(&mut self, text: &str) -> KeyId {
        KeyId(self.keys.intern(text))
    }

    /// Whether this is the name of a client of the workload.
    pub(super) fn is_workload_client(&self, text: &str) -> bool {
        self.clients.is_made(text).is_some()
    }

    pub(super) fn script_client(&mut self, text: &str) -> ClientId {
        ClientId(self.clients.intern(text))
    }

    /// The client of this name, if the workload or the script has it.
    pub(super) fn client(&self, text: &str) -> Option<ClientId> {
        self.clients.find(text).map(ClientId)
    }

    /// How many clients there are.
    pub(super) fn client_count(&self) -> usize {
        self.clients.made as usize + self.clients.extra.len()
    }

    /// Names of clients for a hint: the script's, and the workload's first and last.
    pub(super) fn some_clients(&self) -> Vec<String> {
        let mut names = self.clients.extra.clone();
        match self.clients.made {
            0 => {}
            1 => names.push("c1".to_owned()),
            made => names.extend(["c1".to_owned(), format!("c{made}")]),
        }
        names
    }

    /// The value of the workload that is shown as this text, `c3.17`.
    pub(super) fn made_value(&self, text: &str) -> Option<Value> {
        let (client, index) = text.split_once('.')?;
        let client = self.clients.is_made(client)?;
        let index = u32::try_from(numbered('.', &format!(".{index}"))?).ok()?;
        index.checked_sub(1).map(|index| Value::made(ClientId(client), index))
    }

    /// The value of this text: one of the workload, or a text.
    pub(super) fn value(&mut self, text: &str) -> Value {
        let made = self.made_value(text);
        made.unwrap_or_else(|| Value::text(self.values.intern(text) as usize))
    }

    pub(super) fn set_faults(&mut self, ids: Vec<String>) {
        self.faults = ids;
    }

    pub(super) fn fault(&self, id: &str) -> Option<FaultId> {
        let index = self.faults.iter().position(|fault| fault == id)?;
        u32::try_from(index).ok().map(FaultId)
    }

    pub(super) fn faults(&self) -> &[String] {
        &self.faults
    }

    pub(super) fn into_names(self) -> Names {
        Names {
            keys: self.keys.into_texts(),
            values: self.values.into_texts(),
            clients: self.clients.into_texts(),
            faults: self.faults,
            batches: self.batches,
        }
    }
}

/// The number in `n17`; `None` if the text is not of the form of a node's name.
pub(super) fn node_named(text: &str) -> Option<u64> {
    numbered('n', text)
}

/// The number in a letter followed by a number without leading zeros.
fn numbered(letter: char, text: &str) -> Option<u64> {
    let digits = text.strip_prefix(letter)?;
    let plain = digits.bytes().all(|byte| byte.is_ascii_digit()) && !digits.starts_with('0');
    if plain { digits.parse().ok() } else { None }
}
