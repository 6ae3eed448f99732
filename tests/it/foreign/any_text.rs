//! Whatever is read, nothing panics, and it does not matter in which pieces the text comes.

use std::env;
use std::io::Read as _;

use splitbrain::foreign::{self, HistoryFormat, Mistake, NilMeans, ReadAs, Recorded};
use splitbrain::id::OpId;
use splitbrain::linearizability::Model;
use splitbrain::named::Named;

use super::generate::{Numbers, Written, register};
use super::{Drip, read};

/// How many bytes of mutated histories are read, unless this variable says something else.
const BYTES: usize = 300_000;
const VARIABLE: &str = "MUTATED_BYTES";

/// Tokens that mean something somewhere.
const TOKENS: [&str; 28] = [
    "{",
    "}",
    "[",
    "]",
    "(",
    ")",
    "#{",
    "\"",
    "\\",
    ";",
    "#_",
    "#tag ",
    "nil",
    ":process",
    ":type",
    ":f",
    ":value",
    ":key",
    ":nemesis",
    ":info",
    ":ok",
    "99999999999999999999",
    "\n",
    "\t",
    "é",
    "\"list\"",
    "\"read-all\"",
    "null",
];

/// Histories with everything that a format has.
const RICH: [&str; 5] = [
    r#"; a comment
({:process 0, :type :invoke, :f :cas, :value [1 [2 #{3 4}]], :key "k" :time 12 :error [:a "\n"]}
 #jepsen.history.Op{:process :nemesis :type :info :f :start :value {"n1" #{"n2"}}}
 #_ {:skipped true} [1 :invoke :read nil] {:process 0 :type :info :f :cas :value nil})"#,
    "INFO  jepsen.util - 0\t:invoke\t:cas\t[1 2]\nnoise\n\
     INFO  jepsen.util - :nemesis :info :x nil\n\
     INFO  jepsen.util - 0   :fail   :cas   :timed-out\n",
    r#"{:process 0, :type :invoke, :f :append, :key "a\"b", :value "x\u0041"}
{:process 0, :type :ok, :f :append, :key "a\"b", :value "x\u0041"}
{:process 0, :type :invoke, :f :get, :key "a\"b", :value nil}
{:process 0, :type :ok, :f :get, :key "a\"b", :value "xAxA?"}"#,
    r#"{"time_ns":1,"event":"invoke","process":"c1","op":0,"f":"append","key":"k","value":"\u00e9"}
{"time_ns":2,"event":"ok","process":"c1","op":0,"f":"append","key":"k","value":"\u00e9"}
{"time_ns":3,"event":"info","process":"nemesis","op":null,"f":"start","value":"crash n1"}
{"time_ns":3,"event":"invoke","process":"c1","op":1,"f":"read-all","key":null,"value":null}
{"time_ns":4,"event":"ok","process":"c1","op":1,"f":"read-all","value":{"k":["\u00e9"],"l":"x"}}
{"time_ns":5,"event":"invoke","process":"c1","op":2,"f":"clear","key":null,"value":null}
"#,
    r#"{:index 0, :time 5, :type :invoke, :process 0, :f :append, :key "k", :value ["k" "\u0001"]}
{:index 1, :time 6, :type :ok, :process 0, :f :append, :key "k", :value ["k" "\u0001"],
 :version "0.000000005@n1#1"}
{:index 2, :time 7, :type :invoke, :process 0, :f :read-all, :value nil}
{:index 3, :time 8, :type :ok, :process 0, :f :read-all, :value {"k" ["\u0001"], "l" "x"}}
{:index 4, :time 9, :type :info, :process :nemesis, :f :stop, :value "crash n1", :fault "f"}"#,
];

/// Changes a text in a few places.
fn mutate(text: &mut Vec<u8>, numbers: &mut Numbers) {
    for _ in 0..=numbers.below(3) / 2 {
        let at = numbers.below(text.len() + 1);
        let until = (at + numbers.below(12)).min(text.len());
        match numbers.below(6) {
            0 => text.truncate(at),
            1 => drop(text.drain(at..until)),
            2 => {
                let copy = text[at..until].to_vec();
                text.splice(at..at, copy);
            }
            3 => {
                text.splice(at..at, TOKENS[numbers.below(TOKENS.len())].bytes());
            }
            4 if at < text.len() => text[at] = numbers.below(256) as u8,
            4 | 5 => {
                let token = TOKENS[numbers.below(TOKENS.len())];
                text.splice(at..until, token.bytes());
            }
            _ => unreachable!("a number below 6"),
        }
    }
}

/// What was read, in few words. Every mistake can be shown, and every operation named.
fn summary(read: &Result<Recorded, Mistake>) -> String {
    match read {
        Ok(recorded) => {
            let name = |op| {
                let op = OpId(op);
                format!("{} {} {}", recorded.name(op), recorded.call(op), recorded.place(op))
            };
            let names: Vec<String> = (0..recorded.len() as u32).map(name).collect();
            format!("{:?} {names:?}", recorded.model)
        }
        Err(mistake) => {
            assert!(!mistake.render(true).is_empty());
            mistake.to_string()
        }
    }
}

#[test]
fn mutated_histories_are_read_or_refused() {
    let wanted = env::var(VARIABLE).ok().and_then(|bytes| bytes.parse().ok()).unwrap_or(BYTES);
    let mut numbers = Numbers::new(15);
    let mut texts: Vec<String> = RICH.map(str::to_owned).to_vec();
    texts.extend(Written::ALL.map(|written| written.text(&register(&mut numbers, 6))));
    let (mut bytes, mut read, mut refused) = (0, 0, 0);
    while bytes < wanted {
        let mut text = texts[numbers.below(texts.len())].clone().into_bytes();
        mutate(&mut text, &mut numbers);
        bytes += text.len();
        // Mostly none.
        let pick =
            |count: usize, numbers: &mut Numbers| numbers.below(count * 4).checked_sub(count * 3);
        let how = ReadAs {
            format: pick(4, &mut numbers).map(|index| HistoryFormat::ALL[index]),
            model: pick(4, &mut numbers).map(|index| Model::ALL[index]),
            nil: pick(2, &mut numbers).map(|index| NilMeans::ALL[index]),
            init: pick(3, &mut numbers).map(|index| ["nil", "0", "x y"][index].to_owned()),
        };
        let whole = foreign::read("history", &*text, &how);
        if whole.is_ok() {
            read += 1;
        } else {
            refused += 1;
        }
        let drops = foreign::read("history", Drip::new(&text, &[1, 7, 2]), &how);
        let shown = String::from_utf8_lossy(&text);
        assert_eq!(summary(&whole), summary(&drops), "{how:?}\n{shown}");
    }
    assert!(read > wanted / 10_000 && refused > wanted / 10_000, "{read} {refused}");
}

#[test]
fn depth_and_length_have_limits() {
    let head = "{:process 0, :type :invoke, :f :write, :value ";
    for (open, close) in [("[", "]"), ("(", ")"), ("{", "}"), ("#{", "}"), ("#t ", "x")] {
        let text = format!("{head}{}{}}}", open.repeat(200_000), close.repeat(200_000));
        let mistake = read(&text).expect_err("it is deep").to_string();
        assert!(mistake.contains("nested deeper than 100 levels"), "{mistake}");
    }
    let deep = r#"{"event":"invoke","process":"c1","f":"get","key":"k","value":"#.to_owned();
    let mistake = read(&(deep + &"[".repeat(200_000))).expect_err("it is deep");
    assert!(mistake.to_string().contains("cannot be read"), "{mistake}");
    for (head, part) in [
        // A string that is never closed.
        (
            &b"[{:process 0, :type :invoke, :f :write, :value \""[..],
            "an event is longer than 64 MB",
        ),
        // Behind a byte that is none of a character nothing is read.
        (b"[0 :invoke :write 1] \xff", "the text is not UTF-8"),
    ] {
        let endless = head.chain(std::io::repeat(b'a'));
        let mistake =
            foreign::read("history", endless, &ReadAs::default()).expect_err("it is long");
        assert!(mistake.to_string().contains(part), "{mistake}");
    }
}
