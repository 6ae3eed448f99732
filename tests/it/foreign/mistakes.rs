//! Every mistake by itself: a text that makes it, and what is shown.

use splitbrain::foreign::{HistoryFormat, ReadAs};

use super::{read, read_as};

/// A text, and all that is shown of its mistake.
const SHOWN: &[(&str, &str)] = &[
    (
        "[0 :invoke :write 1]\n[0 :invoke :write 2]",
        "error: process 0 has two invocations under way
 --> history:2:2
  |
2 | [0 :invoke :write 2]
  |  ^ expected the completion of the invocation in line 1
  |
  = help: a process is sequential: concurrent clients are several processes",
    ),
    (
        "{:process 3, :type :ok, :f :read, :value 1}",
        "error: process 3 completes what it did not invoke
 --> history:1:11
  |
1 | {:process 3, :type :ok, :f :read, :value 1}
  |           ^ expected an invocation by this process before",
    ),
    (
        "{:process 0, :type :invoke, :f :read}\n{:process 1, :type :invoke, :f :raed}",
        "error: `raed` is no function of the model cas-register
 --> history:2:32
  |
2 | {:process 1, :type :invoke, :f :raed}
  |                                ^^^^^ expected a function of the model
  |
  = help: did you mean `read`?",
    ),
    (
        "{:process 0, :type :invoke, :f :read}\n{:process 1, :type :invoke, :f :acquire}",
        "error: `acquire` is no function of the model cas-register
 --> history:2:32
  |
2 | {:process 1, :type :invoke, :f :acquire}
  |                                ^^^^^^^^ expected a function of the model
  |
  = help: the model mutex has it: --model mutex",
    ),
    (
        "{:process 0, :type :invoked, :f :read}",
        "error: `invoked` is no type of an event
 --> history:1:20
  |
1 | {:process 0, :type :invoked, :f :read}
  |                    ^^^^^^^^ expected `invoke`, `ok`, `fail` or `info`
  |
  = help: did you mean `invoke`?",
    ),
    (
        "{:process 0, :type :invoke, :f :cas, :value {1 2}}",
        "error: the value of `:cas` has the wrong shape
 --> history:1:45
  |
1 | {:process 0, :type :invoke, :f :cas, :value {1 2}}
  |                                             ^^^^^ expected `[from to]`",
    ),
    (
        "[0 :invoke :write 1]\n[0 :ok :wri",
        "error: the file ends in the middle of an operation
 --> history:2:1
  |
2 | [0 :ok :wri
  | ^ this bracket is never closed
  |
  = help: is the file cut off?",
    ),
    (
        "[{:process 0, :type :invoke, :f :read}\n {:process 1, :type :invoke, :f :read}",
        "error: the file ends in the middle of a list
 --> history:2:39
  |
2 |  {:process 1, :type :invoke, :f :read}
  |                                       ^ expected another operation or `]`
  |
  = help: the list begins in line 1; is the file cut off?",
    ),
    (
        "{:process 0, :type :invoke, :f :write, :value [1 2}}",
        "error: `}` closes a `[`
 --> history:1:51
  |
1 | {:process 0, :type :invoke, :f :write, :value [1 2}}
  |                                                   ^ expected `]`",
    ),
    (
        "{:process 0, :type :invoke, :f :read}]",
        "error: `]` closes nothing
 --> history:1:38
  |
1 | {:process 0, :type :invoke, :f :read}]
  |                                      ^ expected an operation",
    ),
    (
        "",
        "error: history: the file is empty
 |
 = help: expected a history of operations",
    ),
    (
        "[{:process :nemesis, :type :info, :f :start, :value nil}]",
        "error: history: no client invokes anything in this history
 |
 = help: expected operations of clients; there is an event of the nemesis",
    ),
    (
        "jepsen.util - :nemesis :info :start nil\njepsen.util - :nemesis :info :stop nil",
        "error: history: no client invokes anything in this history
 |
 = help: expected operations of clients; there are 2 events of the nemesis",
    ),
    (
        "{:process :nemesis, :type :invoke, :f :start}",
        "error: the nemesis is no client: it neither invokes nor completes
 --> history:1:27
  |
1 | {:process :nemesis, :type :invoke, :f :start}
  |                           ^^^^^^^ expected `info`",
    ),
    (
        "[0 :invoke :write 1]\n[0 :info :write 1]\n[0 :invoke :read nil]",
        "error: process 0 goes on after `info`
 --> history:3:2
  |
3 | [0 :invoke :read nil]
  |  ^ expected the number of a new process
  |
  = help: in line 2 the outcome of its operation became unknown; from then on the process is \
crashed, and its thread goes on under a number of its own",
    ),
    (
        "good morning",
        "error: history: this begins like no history that is known
 |
 = help: name it by --format: edn, log-line, porcupine or jsonl",
    ),
    (
        "INFO  jepsen.util - 0\t:invoke\t:wrte\t1\n",
        "error: `wrte` is no function of the model cas-register
 --> history:1:31
  |
1 | INFO  jepsen.util - 0    :invoke    :wrte    1
  |                                     ^^^^^ expected a function of the model
  |
  = help: did you mean `write`?",
    ),
    (
        "{:process 8, :type :invoke, :f :put, :key \"0\", :value \"\"}
{:process 9, :type :invoke, :f :append, :key \"0\", :value 1}",
        "error: the value has the wrong shape
 --> history:2:58
  |
2 | {:process 9, :type :invoke, :f :append, :key \"0\", :value 1}
  |                                                          ^ expected a string",
    ),
    (
        "INFO  jepsen.util - 0 :invoke :write 3 4 5\n",
        "error: an operation has one value
 --> history:1:40
  |
1 | INFO  jepsen.util - 0 :invoke :write 3 4 5
  |                                        ^ expected the end of the line",
    ),
    (
        "{:process 0, :type :invoke, :f :read, :process 1}",
        "error: this operation has a key twice
 --> history:1:39
  |
1 | {:process 0, :type :invoke, :f :read, :process 1}
  |                                       ^^^^^^^^ expected each key once",
    ),
    (
        "0 :invoke\n:write 3\n",
        "error: the line ends in the middle of an operation
 --> history:1:1
  |
1 | 0 :invoke
  | ^ a value is missing behind this
  |
  = help: is the line cut off?",
    ),
    (
        r#"{"event":"invoke","process":"c1","f":"put","value":"7"#,
        r#"error: this line cannot be read: EOF while parsing a string
 --> history:1:54
  |
1 | {"event":"invoke","process":"c1","f":"put","value":"7
  |                                                      ^ expected an event of `history.jsonl`
  |
  = help: is the file cut off?"#,
    ),
    (
        r#"{"event":"invoke","process":"c1","f":"lst","key":null,"value":null}"#,
        r#"error: `lst` is no function of the model kv
 --> history:1:39
  |
1 | {"event":"invoke","process":"c1","f":"lst","key":null,"value":null}
  |                                       ^^^ expected a function of the model
  |
  = help: did you mean `list`?"#,
    ),
];

#[test]
fn each_mistake_is_shown_with_its_place_and_what_was_expected() {
    for (text, shown) in SHOWN {
        let mistake = read(text).expect_err(text).to_string();
        assert_eq!(mistake, *shown, "{text}");
    }
}

/// Texts, the place of the mistake in each, and a part of what is said.
const SMALLER: &[(&str, (usize, usize), &str)] = &[
    ("{:type :invoke, :f :read}", (1, 1), "has no `:process`"),
    ("{:process 0, :f :read}", (1, 1), "has no `:type`"),
    ("{:process 0, :type :invoke}", (1, 1), "has no `:f`"),
    ("{:process 0, :type}", (1, 19), "expected a value"),
    ("{:process a, :type :invoke, :f :read}", (1, 11), "expected a number or `:nemesis`"),
    ("[0 :invoke :read nil] foo", (1, 23), "this is no operation"),
    ("[[[0 :invoke :read nil] :ok :read]]", (1, 3), "expected a number or `:nemesis`"),
    ("[[]]", (1, 3), "`]` comes too early"),
    ("[[0 :invoke :read nil])", (1, 23), "expected `]`, for the list of line 1"),
    ("[0 :invoke :read nil] [0 :ok :write 1]", (1, 30), "another function than line 1"),
    ("[0 :invoke :read [1 nil]] [0 :ok :read [2 3]]", (1, 34), "another key than line 1"),
    ("[0 :invoke :read [1 nil]] [0 :ok :read 3]", (1, 40), "expected `[key value]`"),
    ("[0 :invoke :list] [0 :ok :list [a a]]", (1, 32), "expected each key once"),
    ("[0 :invoke :read] {:process 1 :type :invoke :f :read :key 2}", (1, 48), "none, as before"),
    ("{:process 1 :type :invoke :f :read :key 2} [0 :invoke :read]", (1, 55), "one, as before"),
    ("[0 :invoke :write]", (1, 12), "expected a value"),
    ("[0 :invoke :append [k nil]]", (1, 23), "expected an element"),
    ("[0 :invoke :cas nil]", (1, 17), "expected `[from to]`"),
    ("[0 :invoke :list] [0 :ok :list 5]", (1, 32), "expected a list of keys"),
    ("[0 :invoke :read-all] [0 :ok :read-all 5]", (1, 40), "a map of keys and values"),
    ("[0 :invoke :write \"abc", (1, 19), "this string is never closed"),
    ("é [0 :invoke :write \"abc", (1, 1), "begins like no history"),
    ("[\"é\" :invoke :write \"abc", (1, 1), "begins like no history"),
    ("[0 :invoke :write \"é\"] [0 :x", (1, 24), "this bracket is never closed"),
    (
        "{:process 0, :type :invoke, :f :get, :key \"a\"} 7",
        (1, 48),
        "a value is missing behind this",
    ),
    ("{:process 0, :type :invoke, :f :put, :key \"a\"}", (1, 32), "this `:put` has no `:value`"),
    (
        "{:process 0, :type :invoke, :f :put, :key \"a\" :value \"\"}
         {:process 1, :type :invoke, :f :put, :value \"\"}",
        (2, 41),
        "this `:put` has no `:key`",
    ),
    ("{\"event\":\"ok\",\"process\":\"c1\",\"f\":\"get\"}", (1, 35), "this `get` has no `key`"),
    ("{\"event\":\"ok\",\"process\":\"c1\",\"f\":\"list\"}", (1, 35), "expected what was found"),
    ("[0 :invoke :read nil] #", (1, 23), "expected a name behind this"),
    ("[0 :invoke :read nil] #foo", (1, 23), "a value is missing behind this"),
    ("[[0 :invoke :read nil] #foo]", (1, 28), "`]` comes too early"),
    ("[0 :invoke :read nil] ##Inf", (1, 23), "this is no operation"),
    ("[0 :invoke :read nil] #_", (1, 23), "a value is missing behind this"),
    ("[0 :invoke :write {1}]", (1, 21), "`}` comes too early"),
    ("[0 :invoke :write {:a #{1} :b}]", (1, 30), "`}` comes too early"),
    ("{:process 0 :type :invoke :type :ok :f :read}", (1, 27), "has a key twice"),
    ("{:process 0 :type :invoke :f :read :f :read}", (1, 36), "has a key twice"),
    ("{:process 0 :type :invoke :f :read :time 1 :time 1}", (1, 44), "has a key twice"),
    ("{:process 0 :type :invoke :f :read :version 1 :version 1}", (1, 47), "has a key twice"),
    ("{:process 0 :type :invoke :f :read :value 1 :value 1}", (1, 45), "has a key twice"),
    ("{:process 0 :type :invoke :f :read :key 1 :key 1}", (1, 43), "has a key twice"),
    ("[0 :invoke :write 3 4 5]", (1, 21), "expected `]`"),
    ("0 :invoke :write 3 4 5", (1, 20), "expected the end of the line"),
    ("0 :invoke :write #_x\n0 :ok :write 1", (1, 11), "expected a value"),
    ("0 :invoke :write #_\n1\n0 :ok :write 1", (1, 18), "a value is missing behind this"),
    ("jepsen.util - 0 :invoke :write\n 3", (1, 25), "expected a value"),
    ("jepsen.util - 0 :invoke\n :write 3", (1, 15), "a value is missing behind this"),
    (
        "{\"event\":\"invoke\",\"process\":\"c1\",\"f\":\"cas\",\"key\":\"k\"}",
        (1, 39),
        "expected an array of two: a string or null, and a string",
    ),
    ("{\"event\":\"o\",\"process\":\"c1\",\"f\":\"get\"}", (1, 11), "no type of an event"),
    (
        "{\"event\":\"invoke\",\"process\":\"c1\",\"f\":\"batch\",\"value\":[{\"f\":\"get\"}]}",
        (1, 39),
        "`batch` is no function of the model kv",
    ),
    ("{:process 0, :type :invoke, :f :txn, :value [[:r 1 nil]]}", (1, 32), "`txn` is no function"),
];

#[test]
fn smaller_mistakes_say_what_is_wrong() {
    for (text, place, part) in SMALLER {
        let mistake = read(text).expect_err(text);
        let shown = mistake.to_string();
        assert!(shown.contains(part), "{text}: {shown}");
        assert!(mistake.place().is_none_or(|found| found == *place), "{text}: {shown}");
        assert_eq!(mistake.place().is_none(), shown.contains("begins like"), "{text}: {shown}");
    }
}

#[test]
fn bytes_that_are_no_text_have_a_place() {
    let how = ReadAs { format: Some(HistoryFormat::Edn), ..ReadAs::default() };
    for (bytes, place) in [
        (&b"[0 :invoke :read \"\xc3\xa9\xff\"]"[..], (1, 20)),
        (b"[0 :invoke :read nil]\n\n;\xc3", (3, 2)),
        (b"[0 :invoke :read nil]\n\xfe", (2, 1)),
        (b"\xff\xfe", (1, 1)),
        (b"\x80", (1, 1)),
    ] {
        for format in [how.clone(), ReadAs::default()] {
            let mistake = splitbrain::foreign::read("history", bytes, &format);
            let mistake = mistake.expect_err("it is no text");
            assert!(mistake.to_string().contains("the text is not UTF-8"), "{mistake}");
            assert_eq!(mistake.place(), Some(place), "{mistake}");
        }
    }
}

#[test]
fn of_a_huge_line_only_the_surroundings_are_shown() {
    let one = "{:process 0 :type :invoke :f :write :value \"é\"} {:process 0 :type :ok :f :write} ";
    let text = format!("\n[{}{{:process 0 :type :invoke :f :wriet}}]", one.repeat(20_000));
    let mistake = read(&text).expect_err("misspelt");
    let column = 2 + one.chars().count() * 20_000 + "{:process 0 :type :invoke :f ".len();
    assert_eq!(mistake.place(), Some((2, column)));
    let shown = mistake.to_string();
    assert!(shown.contains(":f :wriet}]") && shown.contains("| ... "), "{shown}");
    assert!(shown.lines().all(|line| line.chars().count() < 160), "{shown}");
}

#[test]
fn settings_that_do_not_fit_are_mistakes() {
    let how = |init: &str| ReadAs { init: Some(init.to_owned()), ..ReadAs::default() };
    let mistake = read_as("[0 :invoke :read nil]", &how("1 2")).expect_err("two values");
    assert!(mistake.to_string().contains("`1 2` is no initial value"), "{mistake}");
    let model = Some(splitbrain::linearizability::Model::Mutex);
    let how = ReadAs { model, format: Some(HistoryFormat::Jsonl), ..ReadAs::default() };
    let mistake = read_as("{}", &how).expect_err("no lock");
    assert!(mistake.to_string().contains("this format is of the model kv"), "{mistake}");
}
