//! What each format means: small histories, and whether they are linearizable.

use splitbrain::foreign::{NilMeans, ReadAs};
use splitbrain::id::{KeyId, OpId};
use splitbrain::linearizability::{
    BUDGET, Content, Expects, Judgement, Model, Operation, Others, Step, Update, check,
};

use super::{Drip, jsonl, read, read_as, verdict};

/// Histories by what they show, with the verdict.
const HISTORIES: &[(&str, &str, &str)] = &[
    (
        "a write that is answered is read from then on",
        "valid",
        "{:process 0 :type :invoke :f :write :value 1} {:process 0 :type :ok :f :write :value 1}
         {:process 0 :type :invoke :f :read} {:process 0 :type :ok :f :read :value 1}",
    ),
    (
        "a read that misses it",
        "invalid",
        "[0 :invoke :write 1] [0 :ok :write 1] [0 :invoke :write 2] [0 :ok :write 2]
         [0 :invoke :read nil] [0 :ok :read 1]",
    ),
    (
        "a read concurrent with the write may miss it",
        "valid",
        "[0 :invoke :write 1] [0 :ok :write 1] [0 :invoke :write 2] [1 :invoke :read nil]
         [1 :ok :read 1] [0 :ok :write 2]",
    ),
    (
        "a compare-and-set that comes first is on one register, from 1 to 2",
        "invalid",
        "[0 :invoke :cas [1 2]] [0 :ok :cas [1 2]]",
    ),
    (
        "a write that failed is never read",
        "invalid",
        "[0 :invoke :write 1] [0 :fail :write 1] [1 :invoke :read nil] [1 :ok :read 1]",
    ),
    (
        "one whose outcome is unknown may be read much later",
        "valid",
        "[0 :invoke :write 1] [0 :info :write :timeout] [1 :invoke :write 2] [1 :ok :write 2]
         [1 :invoke :read nil] [1 :ok :read 2] [1 :invoke :read nil] [1 :ok :read 1]",
    ),
    (
        "and one that is pending at the end, too",
        "valid",
        "[0 :invoke :write 1] [1 :invoke :read nil] [1 :ok :read 1]",
    ),
    (
        "but not before it was invoked",
        "invalid",
        "[1 :invoke :read nil] [1 :ok :read 1] [0 :invoke :write 1]",
    ),
    (
        "a read whose outcome is unknown says nothing, whatever it brought along",
        "valid",
        "[0 :invoke :read 7] [0 :info :read :timeout] [1 :invoke :read 8] [2 :invoke :read nil]
         [2 :fail :read 9]",
    ),
    (
        "the answer to a read counts, not what it brought along",
        "invalid",
        "[0 :invoke :write 1] [0 :ok :write 1] [0 :invoke :read 1] [0 :ok :read 2]",
    ),
    (
        "in EDN nil says nothing",
        "valid",
        "[0 :invoke :write 1] [0 :ok :write 1] [0 :invoke :read nil] [0 :ok :read nil]",
    ),
    (
        "and in log lines that nothing was written",
        "invalid",
        "INFO  jepsen.util - 0\t:invoke\t:write\t1\nINFO  jepsen.util - 0\t:ok\t:write\t1
         INFO  jepsen.util - 0 :invoke :read nil\nINFO  jepsen.util - 0 :ok :read nil",
    ),
    (
        "a compare-and-set in EDN that failed never happened",
        "valid",
        "[0 :invoke :write 1] [0 :ok :write 1] [0 :invoke :cas [1 2]] [0 :fail :cas [1 2]]",
    ),
    (
        "in log lines it found something else",
        "invalid",
        "INFO  jepsen.util - 0\t:invoke\t:write\t1\nINFO  jepsen.util - 0\t:ok\t:write\t1
         INFO  jepsen.util - 0 :invoke :cas [1 2]\nINFO  jepsen.util - 0 :fail :cas [1 2]",
    ),
    (
        "a compare-and-set of unknown outcome may have happened",
        "valid",
        "INFO  jepsen.util - 0\t:invoke\t:write\t1\nINFO  jepsen.util - 0\t:ok\t:write\t1
         noise\n\nINFO  jepsen.util - :nemesis\t:info\t:start\tnil\nINFO  jepsen.util - hello
         INFO  jepsen.util - 0 :invoke :cas [1 2]\nINFO  jepsen.util - 0 :info :cas :timed-out
         12:00 INFO [worker 5] jepsen.util: 5 :invoke :read nil\nINFO  jepsen.util - 5 :ok :read 2",
    ),
    (
        "each key is a register of its own",
        "valid",
        "[0 :invoke :write [a 1]] [0 :ok :write [a 1]] [0 :invoke :write [b 2]]
         [0 :ok :write [b 2]] [0 :invoke :read [a nil]] [0 :ok :read [a 1]]
         [0 :invoke :cas [b [2 3]]] [0 :ok :cas [b [2 3]]] [0 :invoke :read [b nil]]
         [0 :ok :read [b 3]]",
    ),
    (
        "what is on all keys has no key",
        "valid",
        "[0 :invoke :list] [1 :invoke :put [a 1]] [1 :ok :put [a 1]] [0 :ok :list [a]]
         [0 :invoke :read-all] [0 :ok :read-all {a 1}] [0 :invoke :clear] [0 :ok :clear]
         [0 :invoke :list] [0 :ok :list #{}] [0 :invoke :get [a nil]] [0 :ok :get [a nil]]",
    ),
    (
        "a clear that failed removed nothing",
        "invalid",
        "[0 :invoke :put [a 1]] [0 :ok :put [a 1]] [0 :invoke :clear] [0 :fail :clear]
         [0 :invoke :list] [0 :ok :list []]",
    ),
    (
        "one whose outcome is unknown may have",
        "valid",
        "[0 :invoke :put [a 1]] [0 :ok :put [a 1]] [0 :invoke :clear] [0 :info :clear]
         [1 :invoke :list] [1 :ok :list []]",
    ),
    (
        "a list that shows nil shows nothing",
        "invalid",
        "[0 :invoke :put [a 1]] [0 :ok :put [a 1]] [0 :invoke :list] [0 :ok :list nil]",
    ),
    (
        "also where the key stands apart",
        "invalid",
        "({:process 0, :type :invoke, :f :write, :key :x, :value 1}
          {:process 0, :type :ok, :f :write, :key :x, :value 1}
          {:process 0, :type :invoke, :f :read, :key :y}
          {:process 0, :type :ok, :f :read, :key :y, :value 1})",
    ),
    (
        "a map of keys names them twice, and nil says that a key does not exist",
        "invalid",
        "{:process 0, :type :invoke, :f :write, :key \"a\", :value [\"a\" 1]}
         {:process 0, :type :ok, :f :write, :key \"a\", :value [\"a\" 1]}
         {:process 0, :type :invoke, :f :read, :key \"a\", :value [\"a\" nil]}
         {:process 0, :type :ok, :f :read, :key \"a\", :value [\"a\" nil]}",
    ),
    (
        "a compare-and-set from the name of the key does not",
        "valid",
        "{:process 0, :type :invoke, :f :cas, :key 1, :value [1 2]}
         {:process 0, :type :fail, :f :cas, :key 1, :value [1 2]}
         {:process 0, :type :invoke, :f :write, :key 1, :value 1}
         {:process 0, :type :ok, :f :write, :key 1, :value 1}
         {:process 0, :type :invoke, :f :read, :key 1, :value nil}
         {:process 0, :type :ok, :f :read, :key 1, :value nil}",
    ),
    (
        "comments, commas, tags, unknown keys and what is discarded do not matter",
        "invalid",
        "; written by hand
         #jepsen.history.Op{:index 0, :time 5 :f :write, :type :invoke, :process 0 :value #a [1, 2]}
         {:f :write, :type :ok, :process 0, :value #a [1 ; one\n 2] :node \"n1\"} #_ [0 :invoke]
         {:f :read, :type :invoke, :process 0, :error {:a #{1 \"}\" \\}}} :value nil}
         {:f :read :type :ok :process 0 :value #b [1 2]}",
    ),
    (
        "values are equal however they are written",
        "valid",
        "[0 :invoke :write {:a 1, :b #{2 3}}] [0 :ok :write nil]
         [0 :invoke :read nil] [0 :ok :read {:b #{3, 2} :a +1N}]
         [0 :invoke :write \"a\\u0041\"] [0 :ok :write \"aA\"] [0 :invoke :read]
         [0 :ok :read \"aA\"] [0 :invoke :write 1N] [0 :ok :write 1N] [0 :invoke :read]
         [0 :ok :read 1] [0 :invoke :write [[1 #_ one 2]]] [0 :ok :write nil] [0 :invoke :read]
         [0 :ok :read [[1 2]]]",
    ),
    (
        "each escape is a character",
        "valid",
        r#"[0 :invoke :write "\b\f\n\r\t\"\\"] [0 :ok :write nil] [0 :invoke :read]
           [0 :ok :read "\u0008\u000c\u000a\u000d\u0009\u0022\u005c"]"#,
    ),
    (
        "a quote in a string does not end it",
        "invalid",
        r#"[0 :invoke :write ["a\" \"b"]] [0 :ok :write nil] [0 :invoke :read]
           [0 :ok :read ["a" "b"]]"#,
    ),
    (
        "a key of a map is no value of it",
        "invalid",
        "[0 :invoke :write {1 2}] [0 :ok :write nil] [0 :invoke :read] [0 :ok :read {2 1}]",
    ),
    (
        "a lock is held by one at a time",
        "invalid",
        "[0 :invoke :acquire] [0 :ok :acquire] [1 :invoke :acquire nil] [1 :ok :acquire nil]",
    ),
    (
        "and handed on, in lines without brackets",
        "valid",
        "0\t:invoke\t:acquire\n0\t:ok\t:acquire\n1 :invoke :acquire nil\n0 :invoke :release\n1 :ok \
         :acquire nil ; taken\n0 :ok :release\n:nemesis :info :start",
    ),
    (
        "the nemesis is no client",
        "valid",
        "[{:process :nemesis, :type :info, :f :start, :value {\"n1\" #{\"n2\"}}}
          {:process :nemesis, :type :info, :f :start, :value :cut}
          {:process nemesis, :type :info, :f :stop} [\"nemesis\" :info :stop]
          {:process 0 :type :invoke :f :read}]",
    ),
    (
        "texts are appended, a missing key reads as the empty text",
        "valid",
        r#"{:process 0, :type :invoke, :f :get, :key "k", :value nil}
           {:process 0, :type :ok, :f :get, :key "k", :value ""}
           {:process 0, :type :invoke, :f :append, :key "k", :value "ab"}
           {:process 1, :type :invoke, :f :append, :key "k", :value "c"}
           {:process 0, :type :ok, :f :append, :key "k", :value "ab"}
           {:process 0, :type :invoke, :f :get, :key "k", :value nil}
           {:process 0, :type :ok, :f :get, :key "k", :value "cab"}"#,
    ),
    (
        "texts that begin with one another are taken apart by bytes",
        "valid",
        r#"{:process 0, :type :invoke, :f :put, :key "k", :value "a"}
           {:process 0, :type :ok, :f :put, :key "k", :value "a"}
           {:process 0, :type :invoke, :f :append, :key "k", :value "ab"}
           {:process 0, :type :ok, :f :append, :key "k", :value "ab"}
           {:process 0, :type :invoke, :f :append, :key "k", :value ""}
           {:process 0, :type :ok, :f :append, :key "k", :value ""}
           {:process 0, :type :invoke, :f :get, :key "k", :value nil}
           {:process 0, :type :ok, :f :get, :key "k", :value "aab"}"#,
    ),
    (
        "a text that nobody can have appended",
        "invalid",
        r#"{:process 0, :type :invoke, :f :append, :key "k", :value "x1y"}
           {:process 0, :type :ok, :f :append, :key "k", :value "x1y"}
           {:process 0, :type :invoke, :f :get, :key "k", :value nil}
           {:process 0, :type :ok, :f :get, :key "k", :value "x1yx"}"#,
    ),
    (
        "a get that is pending at the end says nothing",
        "valid",
        r#"{:process 0, :type :invoke, :f :put, :key "k", :value "a"}
           {:process 0, :type :ok, :f :put, :key "k", :value "a"}
           {:process 0, :type :invoke, :f :get, :key "k", :value nil}"#,
    ),
];

#[test]
fn each_history_has_its_verdict() {
    for (what, expected, text) in HISTORIES {
        assert_eq!(verdict(text, &ReadAs::default()), *expected, "{what}\n{text}");
    }
}

#[test]
fn our_own_functions_on_the_whole_store() {
    let put = |value, key| [("c1", "invoke", "put", key, value), ("c1", "ok", "put", key, value)];
    let all = |f, answer| [("c1", "invoke", f, "null", "null"), ("c1", "ok", f, "null", answer)];
    for (expected, events) in [
        ("valid", [put(r#""1""#, r#""a""#), all("list", r#"["a"]"#)].concat()),
        ("invalid", [put(r#""1""#, r#""a""#), all("list", "[]")].concat()),
        ("invalid", [put(r#""1""#, r#""a""#), all("list", r#"["b","a"]"#)].concat()),
        ("valid", [put(r#""1""#, r#""a""#), all("read-all", r#"{"a":"1"}"#)].concat()),
        // A key beside it does not matter.
        (
            "valid",
            [
                put(r#""1""#, r#""a""#),
                [
                    ("c1", "invoke", "list", "null", "null"),
                    ("c1", "ok", "list", r#""b""#, r#"["a"]"#),
                ],
            ]
            .concat(),
        ),
        ("invalid", [put(r#""1""#, r#""a""#), all("read-all", r#"{"a":"2"}"#)].concat()),
        ("valid", [put(r#""1""#, r#""a""#), all("clear", "null"), all("read-all", "{}")].concat()),
        (
            "invalid",
            [put(r#""1""#, r#""a""#), all("clear", "null"), all("list", r#"["a"]"#)].concat(),
        ),
    ] {
        let text = jsonl(&events);
        assert_eq!(verdict(&text, &ReadAs::default()), expected, "{text}");
    }
}

/// What a compare-and-set found that it did not expect is a read.
#[test]
fn our_own_compare_and_sets_are_read_with_what_they_found() {
    let line = |event: &str, rest: &str| {
        format!(r#"{{"event":"{event}","process":"c1","f":"cas","key":"k",{rest}}}"#)
    };
    let ok = |pair: &str| {
        let value = format!(r#""value":{pair}"#);
        format!("{}\n{}\n", line("invoke", &value), line("ok", &value))
    };
    let refused = |pair: &str, found: &str| {
        let value = format!(r#""value":{pair}"#);
        let more = format!(r#"{value},"error":"mismatch"{found}"#);
        format!("{}\n{}\n", line("invoke", &value), line("fail", &more))
    };
    let first = ok(r#"[null,"1"]"#);
    let found = |value: &str| format!(r#","found":{{"value":{value},"version":null}}"#);
    for (expected, then) in [
        ("valid", ok(r#"["1","2"]"#)),
        ("invalid", ok(r#"["3","2"]"#)),
        ("invalid", ok(r#"[null,"2"]"#)),
        ("valid", refused(r#"["2","3"]"#, &found(r#""1""#))),
        ("valid", refused(r#"["2","3"]"#, "")),
        ("invalid", refused(r#"["1","3"]"#, "")),
        ("invalid", refused(r#"["2","3"]"#, &found(r#""4""#))),
        ("invalid", refused(r#"["2","3"]"#, &found("null"))),
    ] {
        let text = format!("{first}{then}");
        assert_eq!(verdict(&text, &ReadAs::default()), expected, "{text}");
    }
    // The same in EDN.
    let edn = |then: &str| {
        let first = r#":process 0, :f :cas, :key "k", :value ["k" [nil "1"]]"#;
        let second = r#":process 0, :f :cas, :key "k", :value ["k" ["2" "3"]]"#;
        format!(
            "{{:type :invoke, {first}}}\n{{:type :ok, {first}}}\n{{:type :invoke, {second}}}\n\
             {{:type :fail, {second}, :error :mismatch{then}}}\n"
        )
    };
    for (expected, found) in
        [("valid", r#", :found "1""#), ("invalid", r#", :found "4""#), ("invalid", ", :found nil")]
    {
        let text = edn(found);
        let how = ReadAs { model: Some(Model::Kv), ..ReadAs::default() };
        assert_eq!(verdict(&text, &how), expected, "{text}");
    }
}

#[test]
fn our_own_lists_show_their_elements_or_the_last_of_them() {
    let append = |value| {
        [("c1", "invoke", "append", r#""k""#, value), ("c1", "ok", "append", r#""k""#, value)]
    };
    let get =
        |value| [("c2", "invoke", "get", r#""k""#, "null"), ("c2", "ok", "get", r#""k""#, value)];
    for (expected, answer) in [
        ("valid", r#"["1","2"]"#),
        ("invalid", r#"["2","1"]"#),
        ("invalid", r#"["2"]"#),
        ("valid", r#""2""#),
        ("invalid", r#""1""#),
        ("invalid", "null"),
    ] {
        let text = jsonl(&[append(r#""1""#), append(r#""2""#), get(answer)].concat());
        assert_eq!(verdict(&text, &ReadAs::default()), expected, "{text}");
    }
    // A put ends the list, and an append begins another.
    let put =
        [("c1", "invoke", "put", r#""k""#, r#""0""#), ("c1", "ok", "put", r#""k""#, r#""0""#)];
    for (expected, answer) in [("valid", r#"["1"]"#), ("invalid", r#"["0","1"]"#)] {
        let text = jsonl(&[put, get(r#""0""#), append(r#""1""#), get(answer)].concat());
        assert_eq!(verdict(&text, &ReadAs::default()), expected, "{text}");
    }
    // The same in EDN.
    let edn = "[0 :invoke :append [k 1]] [0 :ok :append [k 1]] [0 :invoke :append [k 2]]
               [0 :ok :append [k 2]] [0 :invoke :get [k nil]] [0 :ok :get [k [1 2]]]";
    assert_eq!(verdict(edn, &ReadAs::default()), "valid");
    assert_eq!(verdict(&edn.replace("[1 2]", "[2 1]"), &ReadAs::default()), "invalid");
}

#[test]
fn what_is_there_at_the_start_can_be_said() {
    let with = |init: &str, nil| ReadAs {
        init: Some(init.to_owned()),
        nil: Some(nil),
        ..ReadAs::default()
    };
    let reads = "[0 :invoke :read nil] [0 :ok :read 0] [0 :invoke :read nil] [0 :ok :read nil]";
    assert_eq!(verdict(reads, &with("0", NilMeans::Unknown)), "valid");
    assert_eq!(verdict(reads, &with("0", NilMeans::Initial)), "valid");
    assert_eq!(verdict(reads, &with("1", NilMeans::Unknown)), "invalid");
    assert_eq!(verdict(reads, &with("nil", NilMeans::Initial)), "invalid");
    let written = "[0 :invoke :write 5] [0 :ok :write 5] [0 :invoke :write nil] [0 :ok :write nil]
                   [0 :invoke :read nil] [0 :ok :read 0]";
    assert_eq!(verdict(written, &with("0", NilMeans::Initial)), "valid");
    assert_eq!(verdict(written, &with("0", NilMeans::Unknown)), "invalid");
    let lock = "[0 :invoke :release] [0 :ok :release] [0 :invoke :acquire] [0 :ok :acquire]";
    assert_eq!(verdict(lock, &with("nil", NilMeans::Unknown)), "invalid");
    assert_eq!(verdict(lock, &with("held", NilMeans::Unknown)), "valid");
    // A key that does not exist is nil, whatever the others hold at the start.
    let get = "[0 :invoke :get [k nil]] [0 :ok :get [k nil]]";
    assert_eq!(verdict(get, &with("0", NilMeans::Initial)), "invalid");
    let deleted = "[0 :invoke :delete [k nil]] [0 :ok :delete [k nil]] ".to_owned() + get;
    assert_eq!(verdict(&deleted, &with("0", NilMeans::Initial)), "valid");
    for f in ["list", "read-all"] {
        let nil =
            format!("[0 :invoke :put [k 1]] [0 :ok :put [k 1]] [0 :invoke :{f}] [0 :ok :{f}]");
        assert_eq!(verdict(&nil, &with("nil", NilMeans::Initial)), "invalid", "{nil}");
        assert_eq!(verdict(&nil, &with("nil", NilMeans::Unknown)), "valid", "{nil}");
    }
    let get = |text: &str| {
        format!(
            "{{:process 0, :type :invoke, :f :append, :key \"k\", :value \"b\"}}
             {{:process 0, :type :ok, :f :append, :key \"k\", :value \"b\"}}
             {{:process 0, :type :invoke, :f :get, :key \"k\", :value nil}}
             {{:process 0, :type :ok, :f :get, :key \"k\", :value \"{text}\"}}"
        )
    };
    assert_eq!(verdict(&get("ab"), &with("a", NilMeans::Unknown)), "valid");
    assert_eq!(verdict(&get("bab"), &with("ba", NilMeans::Unknown)), "valid");
    assert_eq!(verdict(&get("b"), &with("a", NilMeans::Unknown)), "invalid");
    // On one key a text begins with another, on the other none does: both hold the same at first.
    let two = [("get", "y", "in"), ("get", "x", "in"), ("put", "x", "a"), ("put", "x", "ab")];
    assert_eq!(verdict(&texts(&two), &with("in", NilMeans::Unknown)), "valid");
    assert_eq!(verdict(&texts(&two), &with("i", NilMeans::Unknown)), "invalid");
}

/// Operations on texts, one after another: function, key, and what is put or found.
fn texts(operations: &[(&str, &str, &str)]) -> String {
    let operation = |(f, key, text): &(&str, &str, &str)| {
        let asks = if *f == "get" { "nil".to_owned() } else { format!("\"{text}\"") };
        let head =
            |happened: &str| format!("{{:process 0, :type {happened}, :f :{f}, :key \"{key}\"");
        format!("{}, :value {asks}}}\n", head(":invoke"))
            + &format!("{}, :value \"{text}\"}}\n", head(":ok"))
    };
    operations.iter().map(operation).collect()
}

#[test]
fn a_text_that_nobody_wrote_does_not_spoil_the_next() {
    let get =
        |process: u32, rest: &str| format!("{{:process {process}, :f :get, :key \"k\", {rest}}}\n");
    let text = texts(&[("put", "k", "ab")])
        + &get(1, ":type :invoke")
        + &get(2, ":type :invoke")
        + &get(2, ":type :ok, :value \"ab\"")
        + &get(1, ":type :ok, :value \"a\"");
    let recorded = read(&text).expect("read");
    let Judgement::Contradictory(contradiction) = check(&recorded.operations, BUDGET) else {
        panic!("nobody wrote it: {text}");
    };
    let named: Vec<String> = contradiction.operations.iter().map(|op| recorded.name(*op)).collect();
    assert_eq!(named, ["process 1's get of k = a"]);
}

/// Of appends under way at once every order is possible. What reads show leaves one, so there is
/// nothing to be searched.
#[test]
fn a_read_shows_in_which_order_elements_and_texts_were_appended() {
    let elements = 0..20;
    let appends = |happened: &str, quote: &str| -> String {
        let append = |i| {
            let key = format!(":key {quote}k{quote}, :value {quote}<{i}>{quote}");
            format!("{{:process {i}, :type :{happened}, :f :append, {key}}}\n")
        };
        elements.clone().map(append).collect()
    };
    let shown = |between: &str| -> String {
        let elements: Vec<String> = elements.clone().rev().map(|i| format!("<{i}>")).collect();
        elements.join(between)
    };
    for (quote, shown) in [("", format!("[{}]", shown(" "))), ("\"", format!("\"{}\"", shown("")))]
    {
        let get = |rest: &str| format!("{{:process 0, :f :get, :key {quote}k{quote}, {rest}}}\n");
        let text = appends("invoke", quote)
            + &appends("ok", quote)
            + &get(":type :invoke")
            + &get(&format!(":type :ok, :value {shown}"));
        let recorded = read(&text).expect("read");
        assert_eq!(check(&recorded.operations, 1_000), Judgement::Linearizable, "{text}");
    }
}

/// What an operation is called in a verdict.
#[test]
fn an_operation_is_called_by_what_it_wrote_or_found() {
    let letters = |count: usize| "abcdefghij".repeat(count / 10 + 1)[..count].to_owned();
    let write = |value: &str| format!("[0 :invoke :write {value}]");
    for (text, call) in [
        // What a read brings along it has not found.
        ("[0 :invoke :read 7]", "read"),
        ("[0 :invoke :read 7] [0 :info :read 7]", "read"),
        ("[0 :invoke :read 7] [0 :fail :read 7]", "read"),
        ("[0 :invoke :read 7] [0 :ok :read nil]", "read nil"),
        ("[0 :invoke :read 7] [0 :ok :read 8]", "read 8"),
        ("[0 :invoke :write 7] [0 :info :write :timeout]", "write 7"),
        ("[0 :invoke :write 7] [0 :ok :write nil]", "write 7"),
        ("[0 :invoke :cas [7 nil]] [0 :ok :cas nil]", "cas from 7 to nil"),
        // These have nothing to bring along.
        ("[0 :invoke :acquire nil] [0 :ok :acquire nil]", "acquire"),
        ("[0 :invoke :delete [k nil]] [0 :ok :delete [k nil]]", "delete k"),
        (&texts(&[("delete", "k", "v")]), "delete k"),
        ("[0 :invoke :list nil]", "list"),
        (&jsonl(&[("c1", "invoke", "list", "null", "null")]), "list"),
        // Of a long one the end is shown.
        (&write(&letters(40)), &format!("write {}", letters(40))),
        (&write(&letters(41)), &format!("write ...{}", &letters(41)[1..])),
    ] {
        let recorded = read(text).unwrap_or_else(|mistake| panic!("{mistake}"));
        assert_eq!(recorded.call(OpId(0)), call, "{text}");
    }
}

#[test]
fn the_first_operation_decides_the_model_and_an_argument_overrides_it() {
    let model = |text: &str| read(text).map(|recorded| recorded.model).map_err(|_| ());
    assert_eq!(model("[0 :invoke :read nil]"), Ok(Model::CasRegister));
    assert_eq!(model("[0 :invoke :release nil]"), Ok(Model::Mutex));
    assert_eq!(model("[0 :invoke :delete [k nil]]"), Ok(Model::Kv));
    assert_eq!(model(&jsonl(&[("c1", "invoke", "list", "null", "null")])), Ok(Model::Kv));
    let how = ReadAs { model: Some(Model::Register), ..ReadAs::default() };
    let compares = "[0 :invoke :read nil] [1 :invoke :cas [1 2]]";
    assert_eq!(read_as("[0 :invoke :read nil]", &how).expect("read").model, Model::Register);
    let mistake = read_as(compares, &how).expect_err("a register compares nothing").to_string();
    assert!(mistake.contains("the model cas-register has it"), "{mistake}");
}

#[test]
fn operations_keep_places_steps_and_what_they_did_with_other_keys() {
    let text = jsonl(&[
        ("c1", "invoke", "put", r#""a""#, r#""1""#),
        ("c2", "invoke", "read-all", "null", "null"),
        ("nemesis", "info", "start", "null", r#""crash n1""#),
        ("c1", "ok", "put", r#""a""#, r#""1""#),
        ("c2", "ok", "read-all", "null", r#"{"b":["2","1"],"a":"1"}"#),
        ("c1", "invoke", "delete", r#""a""#, "null"),
        ("c1", "info", "delete", r#""a""#, "null"),
        ("c1#1", "invoke", "clear", "null", "null"),
    ]);
    let recorded = read(&text).expect("read");
    assert_eq!(recorded.len(), 4);
    let of = |op: u32| {
        let Operation { process, call, ret, others, .. } = *recorded.operations.get(OpId(op));
        (process, call, ret, others, recorded.operations.steps(OpId(op)).to_vec())
    };
    let (a, b, open) = (KeyId(0), KeyId(1), Operation::OPEN);
    let put = Step::write(a, Update::Set(Content::value(0)));
    assert_eq!(of(0), (0, 0, 2, Others::Untouched, vec![put]));
    let found = vec![
        Step::read(a, Expects::Holds(Content::value(0))),
        Step::read(b, Expects::Holds(Content::sequence(&[1, 0]))),
    ];
    assert_eq!(of(1), (1, 1, 3, Others::SeenAbsent, found));
    let delete = Step::write(a, Update::Remove);
    assert_eq!(of(2), (0, 4, open, Others::Untouched, vec![delete]));
    assert_eq!(of(3), (2, 6, open, Others::Removed, vec![]));
    assert_eq!(recorded.name(OpId(1)), "c2's read-all of [a = 1, b = [2 1]]");
    assert_eq!(
        recorded.place(OpId(2)),
        "line 6 at 0.000000001 s, unknown in line 7 at 0.000000001 s"
    );
    assert_eq!(recorded.call(OpId(0)), "put a = 1");
}

#[test]
fn behind_an_operation_that_did_not_happen_a_reason_may_stand() {
    let text = "[0 :invoke :write 1] [0 :fail :write 1 :timeout \"late\"] [1 :invoke :write 2]
                [1 :info :write 2 [:timeout]]";
    assert_eq!(verdict(text, &ReadAs::default()), "valid");
    let log = "jepsen.util - 0 :invoke :write 1\njepsen.util - 0 :info :write 1 it was (late \"x\n";
    assert_eq!(verdict(log, &ReadAs::default()), "valid");
}

#[test]
fn the_pieces_in_which_a_text_comes_make_no_difference() {
    for (what, _, text) in HISTORIES {
        let whole = read(text).expect("read");
        let drip = Drip::new(text.as_bytes(), &[1, 2, 13]);
        let drops = splitbrain::foreign::read("history", drip, &ReadAs::default()).expect("read");
        assert_eq!(format!("{:?}", whole.operations), format!("{:?}", drops.operations), "{what}");
        let place = |op| (whole.place(OpId(op)), drops.place(OpId(op)));
        for op in 0..whole.len() as u32 {
            let (one, other) = place(op);
            assert_eq!(one, other, "{what}");
        }
    }
}
