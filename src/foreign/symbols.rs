//! Texts by number: each is kept once, and equal texts have one number.

use xxhash_rust::xxh3::xxh3_64;

/// Different texts, numbered from 0 in the order in which they came.
#[derive(Clone, Debug)]
pub(super) struct SymbolTable {
    /// All texts, one behind the other.
    text: Vec<u8>,
    /// Where each ends.
    ends: Vec<usize>,
    /// A hash table with open addressing: in the upper half of a slot are bits of the hash, in the
    /// lower half is one more than the number. 0 is a free slot.
    slots: Vec<u64>,
}

impl SymbolTable {
    /// No text yet.
    pub(super) fn new() -> Self {
        Self { text: Vec::new(), ends: Vec::new(), slots: vec![0; 64] }
    }

    /// How many texts there are.
    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    /// The text of a number.
    pub(super) fn text(&self, symbol: u32) -> &[u8] {
        let symbol = symbol as usize;
        let from = if symbol == 0 { 0 } else { self.ends[symbol - 1] };
        &self.text[from..self.ends[symbol]]
    }

    /// The number of a text.
    ///
    /// # Panics
    ///
    /// At 2^32 - 1 different texts.
    pub(super) fn intern(&mut self, text: &[u8]) -> u32 {
        let hash = xxh3_64(text);
        let mask = self.slots.len() - 1;
        let mut at = hash as usize & mask;
        while self.slots[at] != 0 {
            let slot = self.slots[at];
            let symbol = slot as u32 - 1;
            if slot >> 32 == hash >> 32 && self.text(symbol) == text {
                return symbol;
            }
            at = (at + 1) & mask;
        }
        let symbol = u32::try_from(self.ends.len()).expect("fewer than 2^32 texts");
        self.slots[at] = hash >> 32 << 32 | u64::from(symbol.checked_add(1).expect("fewer"));
        self.text.extend_from_slice(text);
        self.ends.push(self.text.len());
        if self.ends.len() * 4 > self.slots.len() * 3 {
            self.grow();
        }
        symbol
    }

    fn grow(&mut self) {
        let mask = self.slots.len() * 2 - 1;
        let mut slots = vec![0; mask + 1];
        for symbol in 0..self.ends.len() as u32 {
            let hash = xxh3_64(self.text(symbol));
            let mut at = hash as usize & mask;
            while slots[at] != 0 {
                at = (at + 1) & mask;
            }
            slots[at] = hash >> 32 << 32 | (u64::from(symbol) + 1);
        }
        self.slots = slots;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_texts_have_one_number_and_all_can_be_read_back() {
        let mut table = SymbolTable::new();
        let texts: Vec<String> = (0..10_000).map(|i| format!("{}", i % 7_000)).collect();
        for text in &texts {
            let symbol = table.intern(text.as_bytes());
            assert_eq!(symbol.to_string(), *text);
            assert_eq!(table.text(symbol), text.as_bytes());
        }
        assert_eq!((table.len(), table.intern(b"")), (7_000, 7_000));
        assert_eq!(table.intern(b""), 7_000);
    }
}
