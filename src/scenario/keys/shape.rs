//! What a value of a scenario file may be, as data for the JSON schema and the reference.

use serde_json::{Map, Value, json};

/// What a value may be.
#[derive(Clone, Debug)]
pub struct ValueShape {
    schema: Map<String, Value>,
    takes: String,
    example: String,
    keys: Vec<Declaration>,
    is_list: bool,
}

/// A key of scenario files, without the place of its value.
#[derive(Clone, Debug)]
pub struct Declaration {
    /// Its name in its table.
    pub name: &'static str,
    /// What it means, in a sentence.
    pub help: String,
    /// What it may be.
    pub shape: ValueShape,
    /// Whether its table is wrong without it.
    pub is_required: bool,
    /// The default, if it is always the same.
    pub default: Option<toml::Value>,
}

/// Keys that are decoded by hand: the help text as documentation, the name, the shape, then calls
/// of [`Declaration`].
macro_rules! declared {
    ($(
        $(#[doc = $help:literal])*
        $name:literal: $shape:expr $(, $rule:ident($($argument:expr),*))*;
    )*) => {
        vec![$($crate::scenario::keys::Declaration::new(
            $name,
            concat!($($help),*).trim_start(),
            $shape,
        )$(.$rule($($argument),*))*),*]
    };
}
pub(crate) use declared;

impl ValueShape {
    /// A value of the JSON schema `schema`; `takes` says the same in words, and `example` is one in
    /// TOML.
    ///
    /// # Panics
    ///
    /// If `schema` is no object.
    #[must_use]
    pub fn new(schema: Value, takes: &str, example: &str) -> Self {
        let Value::Object(schema) = schema else { panic!("a JSON schema is an object") };
        let (takes, example) = (takes.to_owned(), example.to_owned());
        Self { schema, takes, example, keys: Vec::new(), is_list: false }
    }

    /// A value of a definition in the whole schema, such as `duration`.
    #[must_use]
    pub fn defined(name: &str, takes: &str, example: &str) -> Self {
        Self::new(json!({ "$ref": format!("#/$defs/{name}") }), takes, example)
    }

    /// One of these words.
    #[must_use]
    pub fn words(words: &[&str]) -> Self {
        let quoted: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
        let example = words.first().map_or_else(String::new, |word| format!("{word:?}"));
        Self::new(json!({ "enum": words }), &quoted.join(", "), &example)
    }

    /// The same, or this word.
    #[must_use]
    pub fn or_word(self, word: &str) -> Self {
        Self::new(json!({ "const": word }), &format!("`{word}`"), "").or(self)
    }

    /// One of two shapes.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        let takes = format!("{}, or {}", self.takes, other.takes);
        let example = if self.example.is_empty() { &other.example } else { &self.example };
        let schema = json!({ "anyOf": [self.schema, other.schema] });
        let keys = [self.keys, other.keys].concat();
        let is_list = self.is_list || other.is_list;
        Self { keys, is_list, ..Self::new(schema, &takes, example) }
    }

    /// A list of these; `limits` are further keywords of the schema.
    #[must_use]
    pub fn list(self, limits: Value) -> Self {
        let mut list = Self::new(limits, &format!("a list: {}", self.takes), "");
        list.example = format!("[{}]", self.example);
        list.schema.insert("type".to_owned(), json!("array"));
        list.schema.insert("items".to_owned(), Value::Object(self.schema));
        list.keys = self.keys;
        list.is_list = true;
        list
    }

    /// A table with these keys.
    #[must_use]
    pub fn table(help: &str, keys: Vec<Declaration>) -> Self {
        let required = keys.iter().filter(|key| key.is_required);
        let required: Vec<&str> = required.map(|key| key.name).collect();
        let properties = keys.iter().map(|key| (key.name.to_owned(), key.schema()));
        let properties: Map<String, Value> = properties.collect();
        let mut schema = json!({ "type": "object" });
        if !help.is_empty() {
            schema["description"] = json!(help);
        }
        schema["additionalProperties"] = json!(false);
        schema["required"] = json!(required);
        schema["properties"] = Value::Object(properties);
        let needed = keys.iter().filter(|key| key.is_required);
        let needed: Vec<String> =
            needed.map(|key| format!("{} = {}", key.name, key.shape.example)).collect();
        let example = if needed.is_empty() {
            "{}".to_owned()
        } else {
            format!("{{ {} }}", needed.join(", "))
        };
        Self { keys, ..Self::new(schema, "a table", &example) }
    }

    /// The same, with exactly one of these keys given.
    #[must_use]
    pub fn exactly_one(self, keys: &[&str]) -> Self {
        self.and("oneOf", one_of(keys))
    }

    /// The same with another keyword of the JSON schema.
    #[must_use]
    pub fn and(mut self, keyword: &str, value: Value) -> Self {
        self.schema.insert(keyword.to_owned(), value);
        self
    }

    /// The same with another example.
    #[must_use]
    pub fn example(mut self, example: &str) -> Self {
        example.clone_into(&mut self.example);
        self
    }

    /// Its JSON schema.
    #[must_use]
    pub fn schema(&self) -> Value {
        Value::Object(self.schema.clone())
    }

    /// What it takes, in words.
    #[must_use]
    pub fn takes(&self) -> &str {
        &self.takes
    }

    /// What it is for, if it is a table with a help text.
    #[must_use]
    pub fn help(&self) -> &str {
        self.schema.get("description").and_then(Value::as_str).unwrap_or_default()
    }

    /// Whether its keys are those of the items of a list.
    #[must_use]
    pub const fn is_list(&self) -> bool {
        self.is_list
    }

    /// The keys of the tables in it.
    #[must_use]
    pub fn keys(&self) -> &[Declaration] {
        &self.keys
    }
}

impl Declaration {
    /// A key that may be left out, without a default.
    #[must_use]
    pub fn new(name: &'static str, help: &str, shape: ValueShape) -> Self {
        Self { name, help: help.to_owned(), shape, is_required: false, default: None }
    }

    /// The same key, required in its table.
    #[must_use]
    pub fn required(self) -> Self {
        Self { is_required: true, ..self }
    }

    /// The same key with this default.
    #[must_use]
    pub fn default(self, default: impl Into<toml::Value>) -> Self {
        Self { default: Some(default.into()), ..self }
    }

    /// A value that it takes, in TOML.
    #[must_use]
    pub fn example(&self) -> &str {
        &self.shape.example
    }

    /// Its JSON schema.
    fn schema(&self) -> Value {
        let mut schema = self.shape.schema.clone();
        if !self.help.is_empty() {
            schema.insert("description".to_owned(), json!(self.help));
        }
        if let Some(default) = &self.default {
            schema.insert("default".to_owned(), json!(default));
        }
        Value::Object(schema)
    }
}

fn one_of(keys: &[&str]) -> Value {
    keys.iter().map(|key| json!({ "required": [key] })).collect()
}

/// For `allOf`: exactly one key of each of these lists is given.
pub(super) fn one_of_each(choices: &[Vec<&str>]) -> Value {
    choices.iter().map(|keys| json!({ "oneOf": one_of(keys) })).collect()
}
