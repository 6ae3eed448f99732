//! Which format a text is in, and whether it is a history at all.

use splitbrain::foreign::{HistoryFormat, ReadAs, is_history};

use super::{jsonl, read, verdict};

#[test]
fn the_format_is_found_out() {
    let map = |rest: &str| format!("{{:process 0, :type :invoke, {rest}}}");
    let nemesis = "{:process :nemesis, :type :info, :f :start, :value \"n1\"} ";
    let texts = [
        (HistoryFormat::Porcupine, map(r#":f :get, :key "x", :value nil"#)),
        (HistoryFormat::Porcupine, map(r#":f :delete, :key"x""#)),
        (HistoryFormat::Porcupine, map(r#":time 5, :f :put, :key "x", :value "y""#)),
        (HistoryFormat::Porcupine, format!("[{}]", map(r#":f :append, :key "x" :value"y""#))),
        (HistoryFormat::Porcupine, nemesis.to_owned() + &map(r#":f :get, :key "x""#)),
        (HistoryFormat::Porcupine, format!("; :key\n#op {}", map(r#":f :get, :key "x""#))),
        (HistoryFormat::Edn, map(r#":f :put, :key "x", :value 1"#)),
        (
            HistoryFormat::Edn,
            map(r#":f :get, :key "x""#) + r#"{:process 1 :type :invoke :f :put :key "x" :value 1}"#,
        ),
        (
            HistoryFormat::Edn,
            map(r#":f :get, :key "x""#) + r#"{:process 0 :type :ok :f :get :key "x" :value nil}"#,
        ),
        (HistoryFormat::Edn, map(r#":f :put, :key :x, :value "y""#)),
        (HistoryFormat::Edn, map(r#":f :write, :key "x", :value "y""#)),
        (HistoryFormat::Edn, nemesis.to_owned() + &map(r#":f :write, :value "a :key \"b""#)),
        (HistoryFormat::Edn, "[0 :invoke :write \"jepsen.util\"]".to_owned()),
        (HistoryFormat::Edn, "([0 :invoke :write 1])".to_owned()),
        (HistoryFormat::Edn, ":nemesis :info :start nil\n0 :invoke :write 1".to_owned()),
        (HistoryFormat::LogLine, "jepsen.util: 0 :invoke :write 1".to_owned()),
        (
            HistoryFormat::LogLine,
            "[2017-03-01 12:00:01,5] INFO jepsen.util - 0\t:invoke\t:write\t1\n".to_owned(),
        ),
        (HistoryFormat::LogLine, "[[main]] jepsen.util - 0 :invoke :write 1\n".to_owned()),
        (HistoryFormat::LogLine, "# the log\njepsen.util - 0 :invoke :write 1\n".to_owned()),
        (HistoryFormat::LogLine, "12 :x\njepsen.util - 0 :invoke :write 1\n".to_owned()),
        (HistoryFormat::Jsonl, jsonl(&[("c1", "invoke", "list", "null", "null")])),
    ];
    for (format, text) in texts {
        let recorded = read(&text).unwrap_or_else(|mistake| panic!("{mistake}"));
        assert_eq!(recorded.format, format, "{text}");
    }
}

#[test]
fn what_only_looks_like_a_history_is_none() {
    for (text, is_one) in [
        ("[0 :invoke :read nil]", true),
        ("\u{feff}[0 :invoke :read nil]", true),
        (r#"{"event":"invoke","process":"c1","f":"list"}"#, true),
        (r#"{"event":"a node crashed","node":"n1"}"#, false),
        ("noise\njepsen.util - 0 :invoke :read nil", true),
        // Results that quote a log.
        ("{:valid? false, :log \"noise\njepsen.util - 0 :invoke :read nil\"}", false),
    ] {
        assert_eq!(is_history(text.as_bytes()), is_one, "{text}");
    }
}

#[test]
fn a_byte_order_mark_is_no_part_of_a_text() {
    let text = "\u{feff}[0 :invoke :write 1] [0 :ok :write 1]";
    assert_eq!(verdict(text, &ReadAs::default()), "valid");
    let mistake = read("\u{feff}[0 :invoke :wriet 1]").expect_err("misspelt");
    assert_eq!(mistake.place(), Some((1, 12)), "{mistake}");
    let mistake = read("\u{feff}").expect_err("empty").to_string();
    assert!(mistake.contains("the file is empty"), "{mistake}");
}
