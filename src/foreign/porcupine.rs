//! Porcupine's logs of a key-value store: maps of EDN whose keys and values are strings.
//!
//! `{:process 9, :type :invoke, :f :append, :key "0", :value "x 9 0 y"}`. A key that does not exist
//! reads `""`. Porcupine itself takes a get that is pending at the end for one that read `""`; here
//! it says nothing.

use super::forms::{Form, FormKind, unescaped};
use super::mistake::Complaint;
use super::recorded::{ClientFunction, Datum};
use super::recorder::{ClientEvent, Happened, Recorder};

/// Key and value of an event.
pub(super) fn value(
    text: &[u8],
    key: Option<&[Form]>,
    value: Option<&[Form]>,
    event: &mut ClientEvent<'_>,
    scratch: &mut Vec<u8>,
    recorder: &mut Recorder,
) -> Result<(), Box<Complaint>> {
    let asked_at = event.asked_at.clone();
    if !matches!(
        event.asked,
        ClientFunction::Read
            | ClientFunction::Write
            | ClientFunction::Append
            | ClientFunction::Delete
    ) {
        let title = "the store of this format has no such function";
        let label = "expected `:get`, `:put`, `:append` or `:delete`";
        return Err(Complaint::new(asked_at, title, label));
    }
    let missing = |what: &str| {
        let word = String::from_utf8_lossy(&text[asked_at.clone()]);
        let title = format!("this `{word}` has no `{what}`");
        Complaint::new(asked_at.clone(), title, format!("expected a `{what}` that is a string"))
    };
    let wrong = |form: &Form, what: &str| {
        let title = format!("the {what} has the wrong shape");
        Complaint::new(form.at(), title, "expected a string")
    };
    let key = key.ok_or_else(|| missing(":key"))?[0];
    if key.kind != FormKind::Text {
        return Err(wrong(&key, "key"));
    }
    unescaped(&text[key.at()], scratch);
    event.key = Some(recorder.keys.intern(scratch));
    let is_answer = event.happened == Happened::Ok;
    let needed = match event.asked {
        ClientFunction::Read => is_answer,
        ClientFunction::Write | ClientFunction::Append => !is_answer,
        _ => false,
    };
    event.datum = match value.map(|forms| forms[0]) {
        Some(form) if form.kind == FormKind::Text => {
            unescaped(&text[form.at()], scratch);
            Datum::One(recorder.values.intern(scratch))
        }
        None if needed => return Err(missing(":value")),
        Some(form) if needed || form.kind != FormKind::Nil => return Err(wrong(&form, "value")),
        Some(_) | None => Datum::Missing,
    };
    Ok(())
}
