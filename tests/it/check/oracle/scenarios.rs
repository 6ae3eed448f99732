//! Random scenario files that use everything a file can say, with weak settings more often than
//! safe ones.
//!
//! A file is a pure function of its seed. Lengths of time are whole numbers with one unit, so the
//! oracle can read them by itself.

use std::fmt::Write as _;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng as _, SeedableRng as _};

/// The scenario of this seed.
pub(crate) fn scenario(seed: u64) -> String {
    let mut draw = Draw(ChaCha8Rng::seed_from_u64(seed));
    let mut file = File { nodes: 0, duration: 0, text: String::new(), elects: false, logs: false };
    file.top(seed, &mut draw);
    file.protocol(&mut draw);
    file.network(&mut draw);
    file.clocks(&mut draw);
    file.workload(&mut draw);
    file.checks(&mut draw);
    file.expect(&mut draw);
    file.script(&mut draw);
    file.faults(&mut draw);
    file.changes(&mut draw);
    file.text
}

/// A file as it grows.
struct File {
    nodes: u64,
    /// In milliseconds.
    duration: u64,
    elects: bool,
    logs: bool,
    text: String,
}

struct Draw(ChaCha8Rng);

impl Draw {
    /// A number below `bound`.
    fn below(&mut self, bound: u64) -> u64 {
        ((u128::from(self.0.next_u64()) * u128::from(bound)) >> 64) as u64
    }

    fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.below(high - low + 1)
    }

    fn one_in(&mut self, many: u64) -> bool {
        self.below(many) == 0
    }

    fn of<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.below(all.len() as u64) as usize]
    }
}

impl File {
    fn line(&mut self, line: impl AsRef<str>) {
        self.text.push_str(line.as_ref());
        self.text.push('\n');
    }

    fn set(&mut self, key: &str, value: impl std::fmt::Display) {
        writeln!(self.text, "{key} = {value}").expect("a string takes text");
    }

    /// Sets the key, with a chance of one in `many`, to one of these values, in the file's
    /// spelling.
    fn maybe(&mut self, draw: &mut Draw, many: u64, key: &str, values: &[&str]) {
        if draw.one_in(many) {
            let value = draw.of(values);
            self.set(key, value);
        }
    }

    fn node(&self, draw: &mut Draw) -> String {
        format!("n{}", draw.between(1, self.nodes))
    }

    fn top(&mut self, seed: u64, draw: &mut Draw) {
        self.nodes = draw.of(&[1, 2, 2, 3, 3, 3, 3, 4, 5, 5]);
        self.duration = draw.of(&[400, 900, 1500, 2500]);
        self.set("title", format!("\"case {seed}\""));
        self.set("seed", seed);
        self.set("duration", format!("\"{}ms\"", self.duration));
        let settle = draw.of(&["0s", "1ms", "50ms", "300ms", "1s", "2s", "5s", "8s", "20s"]);
        self.set("settle", format!("\"{settle}\""));
        self.maybe(draw, 4, "ties", &["\"random\""]);
        self.line("[cluster]");
        self.set("nodes", self.nodes);
    }

    fn protocol(&mut self, draw: &mut Draw) {
        self.elects = draw.one_in(2);
        let election = match draw.below(8) {
            0..=2 => "lowest-id",
            3 => "highest-id",
            4..=6 => "majority-vote",
            _ => "newest-timestamp",
        };
        if self.elects {
            if draw.one_in(3) {
                self.set("initial-leader", "\"none\"");
            }
        } else if draw.one_in(6) {
            let node = self.node(draw);
            self.set("initial-leader", format!("\"{node}\""));
        }
        self.line("[protocol.leader-follower]");
        let in_sync = self.elects && draw.one_in(8);
        let mode =
            if in_sync { "in-sync" } else { draw.of(&["async", "async", "semi-sync", "sync"]) };
        let mode = if self.nodes == 1 && mode == "semi-sync" { "async" } else { mode };
        self.set("mode", format!("\"{mode}\""));
        if mode == "semi-sync" {
            let quorum = draw.between(1, self.nodes - 1);
            self.set("write-quorum", quorum);
        }
        if in_sync {
            let least = draw.between(1, self.nodes.min(2));
            self.set("in-sync.min", least);
            self.set("in-sync.lag", "\"200ms\"");
        }
        // A log in common is how followers catch up, and then nothing else fills them in.
        let by_log = in_sync || self.elects && draw.one_in(3);
        let timeout = draw.of(&["20ms", "80ms", "200ms", "2s"]);
        self.set("ack-timeout", format!("\"{timeout}\""));
        self.maybe(draw, 2, "on-ack-timeout", &["\"fail\""]);
        if !by_log {
            if draw.one_in(6) {
                self.set("replication", "\"full-state\"");
                self.maybe(draw, 2, "full-state", &["\"merge\""]);
            }
            self.maybe(draw, 2, "resend", &["\"20ms\"", "\"100ms\""]);
            self.maybe(draw, 4, "anti-entropy.interval", &["\"50ms\"", "\"300ms\""]);
        }
        let stamps = draw.of(&["wall", "wall", "hybrid", "client", "term-sequence", "wall"]);
        self.set("timestamps", format!("\"{stamps}\""));
        let by_clock = stamps != "term-sequence";
        if by_clock {
            self.maybe(draw, 3, "timestamp-resolution", &["\"1ms\"", "\"30ms\"", "\"500ms\""]);
        }
        if draw.one_in(4) {
            self.set("deletes", "\"erase\"");
        } else if by_clock {
            self.maybe(draw, 6, "tombstone-grace", &["\"20ms\"", "\"200ms\""]);
        }
        self.maybe(draw, 4, "deduplicate", &["true"]);
        self.maybe(draw, 6, "ties", &["\"keep-existing\""]);
        self.maybe(draw, 3, "read.timeout", &["\"30ms\"", "\"300ms\""]);
        self.maybe(draw, 3, "read.repair", &["\"after-answer\""]);
        let log = draw.of(&["off", "buffered", "fsync", "group-commit"]);
        self.logs = log != "off";
        self.set("wal.policy", format!("\"{log}\""));
        if log == "buffered" {
            self.set("wal.sync-every", "\"100ms\"");
        }
        if self.logs {
            if !self.elects {
                self.maybe(draw, 6, "wal.on", &["\"leader\""]);
            }
            self.maybe(draw, 3, "wal.checkpoint-every", &["2", "7"]);
        }
        if self.elects {
            self.election(election, (by_log, in_sync), draw);
        }
        self.defects(election, draw);
    }

    fn election(&mut self, election: &str, (by_log, in_sync): (bool, bool), draw: &mut Draw) {
        let votes = election == "majority-vote";
        self.set("failover.election", format!("\"{election}\""));
        self.set("failover.heartbeat", "\"30ms\"");
        let timeout = draw.of(&["90ms", "150ms", "300ms"]);
        self.set("failover.timeout", format!("\"{timeout}\""));
        if election != "highest-id" {
            self.maybe(draw, 6, "failover.look-every", &["\"40ms\""]);
        }
        self.maybe(draw, 3, "failover.jitter", &["\"0ms\"", "\"100ms\""]);
        if election == "lowest-id" {
            self.maybe(draw, 3, "failover.pre-empt", &["true"]);
        }
        if votes {
            self.maybe(draw, 3, "failover.pre-vote", &["true"]);
            self.maybe(draw, 3, "failover.check-log", &["false"]);
            if self.logs {
                self.maybe(draw, 4, "failover.persist-vote", &["false"]);
            }
        }
        self.maybe(draw, 3, "failover.fencing", &["false"]);
        let none = !by_log && draw.one_in(3);
        let way = if by_log {
            "log"
        } else if none {
            "none"
        } else {
            "full-state"
        };
        self.set("failover.catch-up", format!("\"{way}\""));
        if !none {
            self.maybe(draw, 4, "failover.tail", &["\"merge\""]);
        }
        self.maybe(draw, 3, "failover.without-leader", &["\"wait\""]);
        if in_sync {
            self.maybe(draw, 2, "failover.unclean", &["true"]);
        }
    }

    fn defects(&mut self, election: &str, draw: &mut Draw) {
        if !draw.one_in(5) {
            return;
        }
        let mut defects = vec!["repair-ignores-stamps"];
        if self.logs {
            defects.extend(["truncate-corruption", "keep-torn-tail"]);
        }
        if self.elects {
            defects.extend(["silent-followers", "confirm-what-is-ignored"]);
        }
        if self.elects && election == "lowest-id" {
            defects.extend(["wait-for-lowest-configured", "raise-term-while-waiting"]);
            defects.extend(["addresses-before-ids", "follow-the-awaited"]);
        }
        let defect = draw.of(&defects);
        self.set("defects", format!("[\"{defect}\"]"));
    }

    /// A delay between nodes, in the file's spelling.
    fn delay(draw: &mut Draw) -> String {
        let (a, b) = (draw.between(0, 20), draw.between(20, 60));
        match draw.below(7) {
            0 | 1 => format!("\"{}ms\"", draw.of(&[0, 1, 1, 5, 20])),
            2 | 3 => format!("{{ uniform = [\"{a}ms\", \"{b}ms\"] }}"),
            4 => format!("{{ exponential = \"{}ms\" }}", draw.between(1, 15)),
            5 => "{ lognormal = { median = \"4ms\", sigma = 0.8 } }".to_owned(),
            _ => "{ pareto = { scale = \"2ms\", shape = 1.8 } }".to_owned(),
        }
    }

    fn network(&mut self, draw: &mut Draw) {
        self.line("[network]");
        let delay = Self::delay(draw);
        self.set("delay", delay);
        self.maybe(draw, 3, "loss", &["\"1%\"", "\"10%\"", "\"40%\""]);
        self.maybe(draw, 3, "duplication", &["\"5%\"", "\"50%\""]);
        self.maybe(draw, 3, "order", &["\"fifo\""]);
        self.maybe(draw, 8, "bandwidth", &["\"20kB/s\"", "\"1MB/s\""]);
        let clients = ["\"1ms\"", "{ uniform = [\"0ms\", \"10ms\"] }", "\"40ms\""];
        self.maybe(draw, 2, "client-delay", &clients);
        self.maybe(draw, 3, "refuse", &["true"]);
        if self.nodes > 1 && draw.one_in(4) {
            let (from, delay) = (self.node(draw), Self::delay(draw));
            self.line("[[network.link]]");
            self.set("from", format!("\"{from}\""));
            self.set("to", "\"*\"");
            self.maybe(draw, 2, "both-ways", &["true"]);
            self.set("delay", delay);
        }
        if draw.one_in(4) {
            let node = self.node(draw);
            self.line("[[network.client]]");
            self.set("node", format!("\"{node}\""));
            self.set("delay", "\"25ms\"");
        }
        if draw.one_in(2) {
            self.line("[disk]");
            let sync = ["\"1ms\"", "{ uniform = [\"1ms\", \"8ms\"] }", "{ exponential = \"4ms\" }"];
            let sync = draw.of(&sync);
            self.set("sync", sync);
            self.maybe(draw, 4, "rate", &["\"10kB/s\"", "\"1MB/s\""]);
        }
    }

    fn clocks(&mut self, draw: &mut Draw) {
        for who in ["node", "client"] {
            if !draw.one_in(4) {
                continue;
            }
            let whose = if who == "client" { "*".to_owned() } else { self.node(draw) };
            self.line("[[clock]]");
            self.set(who, format!("\"{whose}\""));
            let offset = draw.of(&["-300ms", "-20ms", "40ms", "500ms"]);
            self.set("offset", format!("\"{offset}\""));
            self.maybe(draw, 2, "drift", &["\"2%\"", "\"-5%\""]);
        }
    }

    fn workload(&mut self, draw: &mut Draw) {
        // One in ten has a script alone.
        if draw.one_in(10) {
            return;
        }
        self.line("[workload]");
        let (clients, operations) = (draw.between(1, 6), draw.between(1, 90));
        self.set("clients", clients);
        if !draw.one_in(8) {
            self.set("operations", operations);
        }
        let keys = draw.of(&[1, 1, 2, 3, 5, 20]);
        self.set("keys", keys);
        self.maybe(draw, 4, "skew", &["{ zipf = 0.99 }"]);
        let mixes = [
            "{ put = 5, get = 5, delete = 1 }",
            "{ put = 5, get = 5, delete = 1 }",
            "{ put = 1 }",
            "{ put = 3, get = 5, delete = 2, list = 1, read-all = 1 }",
            "{ append = 4, get = 4 }",
            "{ append = 4, get = 4, put = 1, delete = 1, list = 1, read-all = 1 }",
            "{ get = 1 }",
        ];
        let mix = draw.of(&mixes);
        self.set("mix", mix);
        if draw.one_in(4) {
            let open = [
                "{ rate = \"40/s\" }",
                "{ rate = \"100/s\", arrivals = \"constant\" }",
                "{ interval = \"60ms\", burst = 4 }",
            ];
            let open = draw.of(&open);
            self.set("open", open);
        } else {
            let think =
                ["\"20ms\"", "{ exponential = \"30ms\" }", "{ uniform = [\"1ms\", \"90ms\"] }"];
            let think = draw.of(&think);
            self.set("think", think);
        }
        let node = format!("\"{}\"", self.node(draw));
        self.maybe(draw, 2, "read-from", &["\"any\"", "\"any\"", "\"nearest\"", &node]);
        let quorum = draw.between(1, self.nodes).to_string();
        self.maybe(draw, 4, "read-quorum", &["\"all\"", &quorum]);
        self.maybe(draw, 5, "read-repair", &["true"]);
        self.retry(draw);
    }

    fn retry(&mut self, draw: &mut Draw) {
        let timeout = draw.of(&["25ms", "80ms", "250ms", "1s", "5s"]);
        self.set("timeout", format!("\"{timeout}\""));
        self.maybe(draw, 3, "retries", &["1", "2", "5"]);
        self.maybe(draw, 3, "ask-next", &["true"]);
        self.maybe(draw, 3, "backoff", &["\"5ms\"", "{ uniform = [\"1ms\", \"40ms\"] }"]);
    }

    fn checks(&mut self, draw: &mut Draw) {
        self.line("[check]");
        self.maybe(draw, 3, "staleness-bound", &["\"0ms\"", "\"5ms\"", "\"100ms\""]);
        self.maybe(draw, 2, "availability-bound", &["\"50%\"", "\"90%\"", "\"99.5%\"", "\"100%\""]);
        self.maybe(draw, 2, "recovery-bound", &["\"0ms\"", "\"100ms\"", "\"400ms\""]);
        self.maybe(draw, 2, "leaderless-bound", &["\"0ms\"", "\"100ms\"", "\"400ms\""]);
        self.maybe(
            draw,
            2,
            "replication-lag-bound",
            &["\"0ms\"", "\"10ms\"", "\"100ms\"", "\"1s\""],
        );
    }

    /// Expectations, met or not.
    fn expect(&mut self, draw: &mut Draw) {
        if draw.one_in(3) {
            self.line("[expect]");
            for property in ["convergence", "durability", "staleness", "liveness", "split-brain"] {
                let verdicts = ["\"valid\"", "\"allowed\"", "\"violation\"", "\"unknown\""];
                self.maybe(draw, 3, property, &verdicts);
            }
            if self.text.contains("availability-bound") {
                self.maybe(draw, 3, "availability", &["\"valid\"", "\"allowed\""]);
            }
        }
        for _ in 0..draw.of(&[0, 0, 0, 2, 4]) {
            let (at, node) = (draw.below(self.duration), self.node(draw));
            self.line("[[expect.state]]");
            self.set("at", format!("\"{at}ms\""));
            self.set("node", format!("\"{node}\""));
            self.maybe(draw, 2, "role", &["\"leader\"", "\"follower\"", "\"down\""]);
            self.maybe(draw, 3, "term", &["0", "1", "2"]);
            self.maybe(draw, 3, "leader", &["\"n1\"", "\"none\""]);
            self.set("key", "\"k1\"");
            if draw.one_in(2) {
                self.set("absent", true);
            } else {
                self.maybe(draw, 1, "value", &["\"same\"", "\"v1\"", "\"v3\""]);
            }
        }
    }

    fn script(&mut self, draw: &mut Draw) {
        let count = draw.of(&[0, 0, 0, 3, 8, 20]);
        for number in 0..count {
            let at = draw.below(self.duration);
            let client = draw.of(&["user", "other", "third"]);
            let key = draw.of(&["k1", "k1", "k2", "city"]);
            // Texts come twice, and some are what the workload would write.
            let value = match draw.below(4) {
                0 => "same".to_owned(),
                _ => format!("v{number}"),
            };
            let node = self.node(draw);
            let asked = |draw: &mut Draw, word: &str| {
                if draw.one_in(3) { format!("{word} = \"{node}\"") } else { String::new() }
            };
            let most = self.nodes - 1;
            let waits = if most > 0 && draw.one_in(5) {
                format!(", w = {}", draw.between(1, most))
            } else {
                String::new()
            };
            let with = |rest: String| if rest.is_empty() { rest } else { format!(", {rest}") };
            let operation = match draw.below(12) {
                0..=3 => {
                    let to = with(asked(draw, "to"));
                    format!("put = {{ key = \"{key}\", value = \"{value}\"{waits}{to} }}")
                }
                4 | 5 => {
                    let from = with(asked(draw, "from"));
                    let repair = if draw.one_in(3) { ", repair = true" } else { "" };
                    format!("get = {{ key = \"{key}\"{from}{repair} }}")
                }
                6 => {
                    let to = with(asked(draw, "to"));
                    format!("delete = {{ key = \"{key}\"{waits}{to} }}")
                }
                7 => format!("list = {{ {} }}", asked(draw, "from")),
                8 => format!("read-all = {{ {} }}", asked(draw, "from")),
                9 => format!("clear = {{ {} }}", asked(draw, "from")),
                _ => {
                    let to = with(asked(draw, "to"));
                    format!("append = {{ key = \"{key}\", value = \"{value}\"{waits}{to} }}")
                }
            };
            let writes =
                ["put", "delete", "append", "clear"].iter().any(|f| operation.starts_with(f));
            self.line("[[operation]]");
            self.set("id", format!("\"op-{number}\""));
            self.set("at", format!("\"{at}ms\""));
            self.set("client", format!("\"{client}\""));
            self.line(operation);
            self.retry(draw);
            if draw.one_in(4) {
                let expected = draw.of(&[
                    "status = \"ok\"",
                    "status = \"fail\", within = \"20ms\"",
                    "status = \"info\", after = \"80ms\"",
                    if writes { "degraded = true" } else { "status = \"ok\"" },
                    "error = \"timeout\"",
                    "leader = \"n1\"",
                ]);
                self.set("expect", format!("{{ {expected} }}"));
            }
        }
    }

    /// The target of a fault.
    fn target(&self, draw: &mut Draw) -> String {
        match draw.below(10) {
            0..=3 => "\"leader\"".to_owned(),
            4 => "\"follower\"".to_owned(),
            5 => format!("\"{}\"", draw.of(&["lowest-id", "highest-id", "majority", "all"])),
            _ => format!("\"{}\"", self.node(draw)),
        }
    }

    fn route(&self, draw: &mut Draw) -> String {
        let ways = if draw.one_in(2) { ", both-ways = true" } else { "" };
        format!("from = {}, to = {}{ways}", self.target(draw), self.target(draw))
    }

    fn fault(&self, draw: &mut Draw) -> String {
        let target = self.target(draw);
        let node = self.node(draw);
        match draw.below(19) {
            0 | 1 => format!("crash = {target}"),
            2 => format!("power-loss = {target}"),
            3 => format!("pause = {target}"),
            4 | 5 if self.nodes > 1 => {
                let user = if draw.one_in(3) { ", \"c1\"" } else { "" };
                let user = if self.text.contains("[workload]") { user } else { "" };
                format!("partition = [[\"{node}\"{user}]]")
            }
            6 if self.nodes > 3 => "majorities-ring = true".to_owned(),
            7 if self.nodes > 2 => format!("bridge = \"{node}\""),
            8 => format!("isolate = {target}"),
            9 => format!("block = {{ {} }}", self.route(draw)),
            10 => format!("clog = {{ {} }}", self.route(draw)),
            11 => format!("slow = {{ {}, by = \"{}ms\" }}", self.route(draw), draw.between(1, 90)),
            12 => format!("drop = {{ {}, probability = \"60%\" }}", self.route(draw)),
            13 => {
                let by = draw.of(&["-400ms", "-30ms", "20ms", "600ms"]);
                format!("clock-jump = {{ node = {target}, by = \"{by}\" }}")
            }
            14 => format!("clock-drift = {{ node = {target}, drift = \"-8%\" }}"),
            15 => format!("slow-disk = {{ node = {target}, by = \"{}ms\" }}", draw.between(1, 90)),
            16 => format!("restart = {{ target = {target}, disk = \"empty\" }}"),
            17 => {
                let kind = draw.of(&["torn-write", "lost-write", "read-error", "disk-full"]);
                format!("{kind} = {target}")
            }
            18 => format!("flip-bit = {{ node = {target} }}"),
            _ => format!("power-loss = \"{node}\""),
        }
    }

    fn faults(&mut self, draw: &mut Draw) {
        let count = draw.of(&[0, 1, 2, 2, 4, 7]);
        for number in 0..count {
            let fault = self.fault(draw);
            self.line("[[fault]]");
            self.set("id", format!("\"fault-{number}\""));
            if draw.one_in(5) {
                let what =
                    draw.of(&["persists", "acknowledges", "receives", "elected", "restarts"]);
                let nth = draw.between(1, 12);
                self.set("when", format!("{{ {what} = {nth} }}"));
            } else {
                let at = draw.below(self.duration);
                self.set("at", format!("\"{at}ms\""));
            }
            let ends = !fault.starts_with("restart")
                && !fault.starts_with("flip-bit")
                && !fault.starts_with("clock-jump");
            if ends && draw.one_in(10) && (fault.starts_with("crash") || fault.starts_with("power"))
            {
                self.set("forever", "true");
            } else if ends && !draw.one_in(4) {
                let lasts = draw.between(5, self.duration);
                self.set("for", format!("\"{lasts}ms\""));
            }
            self.line(fault);
        }
    }

    fn changes(&mut self, draw: &mut Draw) {
        if !draw.one_in(6) {
            return;
        }
        let at = draw.below(self.duration);
        self.line("[[change]]");
        self.set("at", format!("\"{at}ms\""));
        let change = draw.of(&["\"network.loss\" = \"20%\"", "\"network.delay\" = \"8ms\""]);
        self.set("set", format!("{{ {change} }}"));
    }
}
