//! Every mistake by itself: a line that makes it, and what is said of it.

use super::{BASE, shown};

/// A text behind [`BASE`], and what its only mistake must be shown with.
const MISTAKES: &[(&str, &[&str])] = &[
    ("[netwrok]\nloss = 0.1", &["unknown key `netwrok`", "did you mean `network`?"]),
    ("ack-timeout = 5", &["expected a length of time", "found an integer", ":5:15"]),
    ("ack-timeout = \"5\"", &["the unit is missing"]),
    ("ack-timeout = \"0s\"", &["more than 0"]),
    ("ack-timeout = \"-1s\"", &["it is negative"]),
    ("ack-timeout = \"99999999999999999999s\"", &["longer than 10 years"]),
    ("ack-timeout = \"87601h\"", &["longer than 10 years (87600h)", ":5:15"]),
    ("ack-timeout = \"1e9s\"", &["`e9s` is no unit of time"]),
    ("ack-timeout = [1]", &["found an array"]),
    ("mode = \"semi-sync\"", &["needs a `write-quorum`"]),
    (
        "mode = \"semi-sync\"\nwrite-quorum = 3",
        &["the write quorum is 3, but there are 2 followers"],
    ),
    ("mode = \"semi-sync\"\nwrite-quorum = 99999999999999999999", &["number"]),
    ("write-quorum = 1", &["`write-quorum` needs mode `semi-sync`"]),
    (
        "mode = \"in-sync\"\nin-sync.lag = \"2s\"\nfailover.catch-up = \"log\"",
        &["out of sync after 2s", "an `in-sync.lag` above the heartbeat of 2s"],
    ),
    ("[protocol.raft]", &["unknown key `raft`"]),
    ("[network]\nloss = nan", &["NaN is no probability"]),
    ("[network]\nloss = 1.5", &["1.5 is no probability"]),
    ("[network]\nloss = -0.5", &["-0.5 is no probability"]),
    ("[network]\nloss = \"-5%\"", &["below 0%"]),
    (
        "[network]\ndelay = { constant = \"1ms\", exponential = \"1ms\" }",
        &["given 2 times", "`constant` is given here"],
    ),
    ("[network]\ndelay = { }", &["the distribution is missing"]),
    ("[network]\ndelay = { uniform = [\"2ms\", \"1ms\"] }", &["the lower end 2ms is above"]),
    ("[network]\ndelay = { uniform = [\"2ms\"] }", &["expected two lengths of time, found 1"]),
    (
        "[network]\ndelay = { lognormal = { median = \"1ms\", sigma = inf } }",
        &["inf is out of range"],
    ),
    ("[network]\ndelay = { pareto = { scale = \"1ms\" } }", &["`shape` is missing"]),
    ("[network]\ndelay = { mixture = [] }", &["no part of the mixture"]),
    ("[network]\ndelay = { quantiles = { \"50%\" = \"1ms\" } }", &["do not cover everything"]),
    (
        "[network]\ndelay = { quantiles = { \"0%\" = \"2ms\", \"100%\" = \"1ms\" } }",
        &["the quantiles fall"],
    ),
    ("[network]\nbandwidth = \"10MB\"", &["`MB` is no unit of bandwidth"]),
    ("[[network.link]]\nfrom = \"n1\"", &["`to` is missing"]),
    ("[[network.client]]\nclient = \"c1\"\ndelay = \"1ms\"", &["there is no client `c1`"]),
    ("[[clock]]\nnode = \"n1\"\ndrift = \"-100%\"", &["more than -100%"]),
    ("[workload]\nclients = 100001", &["from 1 to 100000"]),
    ("[workload]\nkeys = 0", &["0 is out of range"]),
    ("[workload]\nmix = { put = 0 }", &["the mix asks for nothing"]),
    (
        "[workload]\nthink = \"1s\"\nopen = { rate = \"1/s\" }",
        &["both a closed and an open loop", "`think` is given here"],
    ),
    ("[workload]\nopen = { }", &["the open loop's pace is missing"]),
    ("[workload]\nopen = { rate = \"0/s\" }", &["more than none"]),
    ("[workload]\nopen = { rate = \"9999999999/s\" }", &["the rate cannot be had"]),
    ("[workload]\nread-from = \"leadr\"", &["did you mean `leader`?"]),
    ("[workload]\nskew = { zipf = 0 }", &["0 is out of range"]),
    ("[[operation]]\nat = \"1s\"\nclient = \"a\"", &["the operation is missing"]),
    ("[[operation]]\nat = \"1s\"\nclient = \"a\"\nput = { key = \"x\" }", &["`value` is missing"]),
    (
        "[[operation]]\nat = \"1s\"\nclient = \"a\"\nput = { key = \"x\", value = \"y\", w = 3 }",
        &["asks for 3 acknowledgements"],
    ),
    ("[[operation]]\nat = \"31s\"\nclient = \"a\"\nlist = {}", &["31s is after the end"]),
    ("[[operation]]\nat = \"1s\"\nclient = \"n1\"\nlist = {}", &["cannot be a client's name"]),
    (
        "[workload]\nclients = 2\n[[operation]]\nat = \"1s\"\nclient = \"c2\"\nlist = {}",
        &["the workload drives client `c2`"],
    ),
    (
        r#"[workload]
[[operation]]
at = "1s"
client = "a"
put = { key = "x", value = "c1.1" }"#,
        &["a value that the workload writes"],
    ),
    (
        r#"[[operation]]
at = "1s"
client = "a"
delete = { key = "x" }
expect = { confirmations = "3 of 2" }"#,
        &["up to \"2 of 2\""],
    ),
    (
        "[[operation]]\nat = \"1s\"\nclient = \"a\"\nlist = {}\nexpect = { error = \"not-leadr\" }",
        &["did you mean `not-leader`?"],
    ),
    (
        r#"[[operation]]
at = "1s"
client = "a"
get = { key = "x" }
expect = { value = "x", absent = true }"#,
        &["a value is expected, and none"],
    ),
    (
        r#"[[operation]]
at = "1s"
client = "a"
list = {}
expect = { within = "1s", after = "2s" }"#,
        &["that fast and that slow"],
    ),
    (
        r#"[[operation]]
id = "x"
at = "1s"
client = "a"
list = {}
[[operation]]
id = "x"
at = "1s"
client = "a"
list = {}"#,
        &["the id `x` is given twice", "given first here"],
    ),
    (
        r#"[[clock]]
node = "n2"
offset = "-87599h"
[[fault]]
at = "1s"
clock-jump = { node = "n1", by = "2h" }
[[fault]]
at = "1s"
clock-jump = { node = "all", by = "2h" }"#,
        &["the offset and the jumps of n2's clock exceed 10 years together", "s.toml:13"],
    ),
    (
        "[[fault]]\nat = \"1s\"\nclock-jump = { node = \"leader\", by = \"87601h\" }",
        &["longer than 10 years"],
    ),
    ("[workload]\nopen = { rate = \"1/h\", burst = 87601 }", &["from 1ns to 10 years"]),
    (
        r#"[[operation]]
at = "1s"
client = "a"
put = { key = "x", value = "y" }
expect = { value = "y" }"#,
        &["the answer to a `put` has no `value`", "only that to `get` or `cas` has it"],
    ),
    (
        "[[operation]]\nat = \"1s\"\nclient = \"a\"\nlist = {}\nexpect = { absent = true }",
        &["the answer to a `list` has no `absent`", "`within`, `after` or `keys`"],
    ),
    (
        r#"[[operation]]
at = "1s"
client = "a"
get = { key = "x" }
expect = { existed = true }"#,
        &["the answer to a `get` has no `existed`", "only that to `delete`"],
    ),
    (
        "[[operation]]\nat = \"1s\"\nclient = \"a\"\nbatch = []",
        &["a batch of 0 parts", "expected 1 to 16"],
    ),
    (
        r#"[[operation]]
at = "1s"
client = "a"
batch = [
    { get = { key = "x" } }, { get = { key = "x" } }, { get = { key = "x" } },
    { get = { key = "x" } }, { get = { key = "x" } }, { get = { key = "x" } },
    { get = { key = "x" } }, { get = { key = "x" } }, { get = { key = "x" } },
    { get = { key = "x" } }, { get = { key = "x" } }, { get = { key = "x" } },
    { get = { key = "x" } }, { get = { key = "x" } }, { get = { key = "x" } },
    { get = { key = "x" } }, { get = { key = "x" } },
]"#,
        &["a batch of 17 parts", "expected 1 to 16"],
    ),
    (
        "[[operation]]\nat = \"1s\"\nclient = \"a\"\nbatch = [{ batch = [] }]",
        &["a batch cannot have a `batch`", "expected `put`, `get`, `delete`, `append` or `cas`"],
    ),
    (
        "[[operation]]\nat = \"1s\"\nclient = \"a\"\nbatch = [{ list = {} }]",
        &["a batch cannot have a `list`", "expected `put`, `get`, `delete`, `append` or `cas`"],
    ),
    (
        "[[operation]]\nat = \"1s\"\nclient = \"a\"\nbatch = [{ clear = {} }]",
        &["a batch cannot have a `clear`", "expected `put`"],
    ),
    (
        "[[operation]]\nat = \"1s\"\nclient = \"a\"\nbatch = [{ read-all = {} }]",
        &["a batch cannot have a `read-all`", "expected `put`"],
    ),
    (
        "[[operation]]\nat = \"1s\"\nclient = \"a\"\nbatch = [{}]",
        &["the part is missing", "`put`, `get`, `delete`, `append` or `cas`"],
    ),
    (
        "[[operation]]\nat = \"1s\"\nclient = \"a\"\nbatch = [{ cas = { key = \"x\" } }]",
        &["`to` is missing"],
    ),
    (
        r#"[[operation]]
at = "1s"
client = "a"
batch = [{ put = { key = "x", value = "y", w = 1 } }]"#,
        &["`w`", "`key`"],
    ),
    (
        r#"[[operation]]
at = "1s"
client = "a"
batch = [{ get = { key = "x" } }]
expect = { existed = true }"#,
        &["the answer to a `batch` has no `existed`"],
    ),
    (
        r#"[[operation]]
at = "1s"
client = "a"
put = { key = "x", value = "y" }
expect = { error = "mismatch" }"#,
        &["a `put` never fails with `mismatch`", "only `cas` or `batch` can find another value"],
    ),
    (
        "[[operation]]\nat = \"1s\"\nclient = \"a\"\ncas = { key = \"x\", from = \"y\" }",
        &["`to` is missing", "cas = { key"],
    ),
    (
        "[[operation]]\nat = \"1s\"\nclient = \"a\"\ncas = { from = \"x\", to = \"y\" }",
        &["`key` is missing", "cas = { from"],
    ),
    (
        "[[operation]]\nat = \"1s\"\nclient = \"a\"\ncas = { key = \"x\", to = \"y\", w = 1 }",
        &["`w`", "`key`, `from`, `to`"],
    ),
    (
        "[[operation]]\nat = \"1s\"\nclient = \"a\"\nget = { key = \"x\" }\nexpect = { keys = [] }",
        &["has no `keys`", "only that to `list`"],
    ),
    (
        "[[operation]]\nat = \"1s\"\nclient = \"a\"\nlist = {}\nexpect = { all = {} }",
        &["has no `all`", "only that to `read-all`"],
    ),
    (
        "[[operation]]\nat = \"1s\"\nclient = \"a\"\nread-all = {}\nexpect = { degraded = true }",
        &["has no `degraded`", "`put`, `delete`, `clear`, `append`, `cas` or `batch`"],
    ),
    (
        r#"[[operation]]
at = "1s"
client = "a"
get = { key = "x" }
expect = { confirmations = "1 of 2" }"#,
        &["has no `confirmations`"],
    ),
    (
        "[[operation]]\nat = \"1s\"\nclient = \"nemesis\"\nlist = {}",
        &["`nemesis` cannot be a client's name", "the history calls the faults so"],
    ),
    (
        "[[operation]]\nat = \"1s\"\nclient = \"c#1\"\nlist = {}",
        &["`c#1` cannot be a client's name", "in the history"],
    ),
    (
        "[[operation]]\nat = \"1s\"\nclient = \"a\"\n\
         put = { key = \"x\", value = \"\\u001b[31m\" }",
        &["control characters"],
    ),
    ("[[fault]]\nat = \"1s\"", &["what goes wrong is missing"]),
    ("[[fault]]\nat = \"40s\"\ncrash = \"n1\"", &["40s is after the end"]),
    (
        r#"[[fault]]
id = "a"
at = "1s"
crash = "n1"
[[fault]]
id = "a"
at = "1s"
crash = "n1""#,
        &["the id `a` is given twice"],
    ),
    (
        "[[fault]]\nid = \"network\"\nat = \"1s\"\ncrash = \"n1\"",
        &["`network` cannot be a fault's id"],
    ),
    (
        "[[fault]]\nat = \"1s\"\ncrash = \"leadre\"",
        &["there is no node `leadre`", "did you mean `leader`?"],
    ),
    ("[[fault]]\nat = \"1s\"\ncrash = []", &["nobody is meant"]),
    (
        "[[fault]]\ncrash = \"n1\"",
        &["when the fault starts is missing", "needs one of `at` or `when`"],
    ),
    (
        "[[fault]]\nat = \"1s\"\nwhen = { elected = 1 }\ncrash = \"n1\"",
        &["when the fault starts is given 2 times", "`when` contradicts it"],
    ),
    (
        "[[fault]]\nwhen = { node = \"n1\" }\ncrash = \"n1\"",
        &["what the fault is tied to is missing", "`elected`, `appends`"],
    ),
    (
        "[[fault]]\nwhen = { elected = 1, restarts = 2 }\ncrash = \"n1\"",
        &["what the fault is tied to is given 2 times", "`restarts` contradicts it"],
    ),
    ("[[fault]]\nwhen = \"elected\"\ncrash = \"n1\"", &["`when` takes a table"]),
    ("[[fault]]\nwhen = { persist = 1 }\ncrash = \"n1\"", &["did you mean `persists`?"]),
    (
        "[[fault]]\nwhen = { persists = 0 }\ncrash = \"n1\"",
        &["0 is out of range", "from 1 to 1000000"],
    ),
    ("[[fault]]\nwhen = { persists = 1000001 }\ncrash = \"n1\"", &["1000001 is out of range"]),
    (
        "[[fault]]\nwhen = { votes = 1 }\ncrash = \"n1\"",
        &[
            "no node ever votes with these settings",
            "expected one of `elected`, `appends`, `persists`, `acknowledges`, `receives`, \
             `restarts`",
            "the protocol keeps no replicated log",
        ],
    ),
    (
        "failover.catch-up = \"log\"\n[[fault]]\n\
         when = { commits = 1 }\ncrash = \"n1\"",
        &["no node ever commits", "^^^^^^^ expected", "`restarts`, `truncates`, `installs`"],
    ),
    ("[fuzz]\nmoments = \"logs\"", &["expected `true` or `false`", "help: or `log`"]),
    ("[[fault]]\nwhen = { elected = 1, node = \"n4\" }\ncrash = \"n1\"", &["no node `n4`"]),
    (
        "[[fault]]\nwhen = { elected = 1, node = \"leader\" }\ncrash = \"n1\"",
        &["there is no node `leader`"],
    ),
    (
        "[[fault]]\nwhen = { elected = 1, after = \"31s\" }\ncrash = \"n1\"",
        &["the fault could never start", "before `duration`, 30s, is over"],
    ),
    (
        "[[fault]]\nwhen = { receives = 1, kind = \"apend\" }\ncrash = \"n1\"",
        &["`apend` is none of the choices", "did you mean `append`?"],
    ),
    (
        "[[fault]]\nwhen = { elected = 1, kind = \"append\" }\ncrash = \"n1\"",
        &["`elected` has no kind of message", "only `receives` has one"],
    ),
    ("[[fault]]\nat = \"1s\"\ncrash = [\"n1\", \"n1\"]", &["`n1` is given twice"]),
    (
        "[[fault]]\nat = \"1s\"\nfor = \"1s\"\nforever = true\ncrash = \"n1\"",
        &["the fault ends, and lasts forever"],
    ),
    (
        "[[fault]]\nat = \"1s\"\nforever = true\nisolate = \"n1\"",
        &["`isolate` cannot last forever"],
    ),
    ("[[fault]]\nat = \"1s\"\nfor = \"1s\"\nrestart = \"n1\"", &["`restart` has no end"]),
    ("[[fault]]\nat = \"1s\"\nmajorities-ring = true", &["needs at least four nodes"]),
    ("[[fault]]\nat = \"1s\"\nbridge = \"all\"", &["a bridge is one node"]),
    ("[[fault]]\nat = \"1s\"\npartition = [[]]", &["a group is empty"]),
    ("[[fault]]\nat = \"1s\"\npartition = [[\"alice\"]]", &["no node or client `alice`"]),
    ("[[fault]]\nat = \"1s\"\ndrop = { kind = \"akc\" }", &["did you mean `ack`?"]),
    ("[[fault]]\nat = \"1s\"\nheal = \"cut\"", &["there is no fault `cut`"]),
    ("[[fault]]\nat = \"1s\"\nslow-disk = { node = \"n1\" }", &["`by`"]),
    (
        "[[fault]]\nat = \"1s\"\nfor = \"1s\"\nflip-bit = { node = \"n1\" }",
        &["`flip-bit` has no end"],
    ),
    ("[[fault]]\nat = \"1s\"\ndisk-full = { node = \"n1\" }", &["found a table"]),
    ("wal = { policy = \"fsyncs\" }", &["did you mean `fsync`?"]),
    // What a wrong key was to be nobody knows, so nobody says that another needs it.
    ("wal = { policy = \"fsyncs\", checkpoint-every = 100 }", &["did you mean `fsync`?"]),
    ("mode = \"semisync\"\nwrite-quorum = 1", &["did you mean `semi-sync`?"]),
    (
        "wal = { policy = \"fsync\", sync-every = \"1s\" }",
        &["`sync-every` needs the policy `buffered`"],
    ),
    ("wal = { checkpoint-every = 100 }", &["`checkpoint-every` needs a log"]),
    ("wal = { on = \"leader\" }", &["`on` needs a log"]),
    ("wal = { policy = \"fsync\", on = \"follower\" }", &["`follower` is none of the choices"]),
    (
        "wal = { policy = \"fsync\", on = \"leader\" }\nfailover = { election = \"lowest-id\" }",
        &["only the leader keeps a log, and with an election another node may lead"],
    ),
    ("full-state = \"merge\"", &["no full state is ever sent that could be merged"]),
    ("full-state = \"merged\"", &["did you mean `merge`?"]),
    ("failover = { look-every = \"1s\" }", &["`look-every` needs an election"]),
    (
        "failover = { election = \"highest-id\", look-every = \"1s\" }",
        &["`look-every` needs an election"],
    ),
    ("failover = { election = \"lowest-id\", look-every = \"0s\" }", &["a length of time is zero"]),
    ("defects = [\"silent-follower\"]", &["did you mean `silent-followers`?"]),
    ("[network]\nrefuse = \"yes\"", &["`true` or `false`"]),
    (
        "wal = { policy = \"fsync\", checkpoint-every = 0 }",
        &["0 is out of range", "expected a whole number from 1"],
    ),
    ("defects = [\"truncate-corruptions\"]", &["did you mean `truncate-corruption`?"]),
    ("[[change]]\nat = \"1s\"\nset = { \"network.los\" = 1 }", &["unknown key `los`"]),
    ("[[change]]\nat = \"1s\"\nset = { \"network.loss\" = \"200%\" }", &["over 100%"]),
    (
        "[[change]]\nat = \"1s\"\nset = { \"workload.keys\" = 1 }",
        &["`workload.keys` cannot change"],
    ),
    (
        "[[change]]\nat = \"1s\"\nset = { \"workload.mix\" = { put = 1 } }",
        &["there is no workload to change"],
    ),
    ("[[change]]\nat = \"1s\"\nset = { \"network..\" = 1 }", &["empty or misquoted"]),
    (
        "[workload]\n[[change]]\nat = \"1s\"\nset = { \"workload.open\" = { rate = \"9/s\" } }",
        &["a closed loop cannot become an open one"],
    ),
    ("[[change]]\nat = \"1s\"\nset = { \"network.link.0.loss\" = 1 }", &["expected an array"]),
    ("[expect]\nconvergence = \"vald\"", &["did you mean `valid`?"]),
    ("[[expect.state]]\nat = \"61s\"\nnode = \"n1\"\nterm = 1", &["61s is after the end"]),
    ("[[expect.state]]\nat = \"1s\"\nnode = \"n1\"", &["a state of nothing"]),
    ("[[expect.state]]\nat = \"1s\"\nnode = \"n1\"\nkey = \"x\"", &["what does the key hold?"]),
    ("[[expect.state]]\nat = \"1s\"\nnode = \"n1\"\nvalue = \"x\"", &["a value of which key?"]),
    ("[[fault]]\nat = \"1s\"\ncrsh = \"n1\"", &["unknown key `crsh`", "did you mean `crash`?"]),
    ("[[fault]]\nta = \"1s\"\ncrash = \"n1\"", &["did you mean `at`?"]),
    ("mode = \"sync\"\nmode = \"sync\"", &["`mode` is given twice", "given first here"]),
    ("[cluster]", &["`cluster` is given twice", "given first here"]),
    ("mode = ", &["s.toml:5"]),
];

#[test]
fn each_mistake_is_named_alone() {
    for (text, fragments) in MISTAKES {
        let (shown, count) = shown(&format!("{BASE}{text}\n"), &[]);
        assert_eq!(count, 1, "{text}\n{shown}");
        for fragment in *fragments {
            assert!(shown.contains(fragment), "`{fragment}` is not in\n{shown}");
        }
    }
}
