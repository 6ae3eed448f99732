//! Each rule catches what breaks it, and leaves alone what only looks so.

use crate::rules::{self, Breach, Rule};
use crate::source::Source;

/// A file by its path from `src/`, or one in `tests/` or `benches/`, and its text.
type File<'a> = (&'a str, &'a str);

fn breaches(files: &[File]) -> Vec<Breach> {
    let path = |file: &str| match file.split_once('/') {
        Some(("tests" | "benches", _)) => file.to_owned(),
        _ => format!("src/{file}"),
    };
    let source = |(file, text): &File| Source::new(&path(file), (*text).to_owned());
    rules::breaches(&files.iter().map(source).collect::<Vec<_>>())
}

/// These files break the rule once, in these words, and no other.
#[track_caller]
fn bad(files: &[File], rule: Rule, words: &str) {
    let found = breaches(files);
    let is_meant = |breach: &Breach| breach.rule == rule && breach.to_string().contains(words);
    assert!(found.len() == 1 && is_meant(&found[0]), "{files:?}: {found:?}");
}

/// These files break no rule.
#[track_caller]
fn good(files: &[File]) {
    let found = breaches(files);
    assert!(found.is_empty(), "{files:?}: {found:?}");
}

#[test]
fn imports_point_down() {
    let bad = |file, text, words| bad(&[(file, text)], Rule::Layer, words);
    bad("check/mod.rs", "use crate::sim::Simulation;", "`check` (layer 3) uses `sim` (layer 4)");
    bad("id.rs", "fn f(c: &crate::config::Config) {}", "`id` (layer 0) uses `config` (layer 1)");
    let group = "use crate::{\n    time::{Time, Span},\n    scenario::Scenario,\n};";
    bad("sim/mod.rs", group, "src/sim/mod.rs:3: `sim` (layer 4) uses `scenario` (layer 5)");
    bad("sim/mod.rs", "fn f() { assert!(crate::cli::ok()); }", "uses `cli` (layer 7)");
    bad("sim.rs", "use super::id::NodeId;", "name it by `crate::`");
    bad("sim.rs", "mod inner { use super::super::id::NodeId; }", "name it by `crate::`");
    bad("sim/node.rs", "use super::super::cli::X;", "`sim` (layer 4) uses `cli` (layer 7)");
    bad("nowhere.rs", "", "`nowhere` is not in the table of layers");
    bad("run/mod.rs", "use crate::explain::story;", "`run` uses `explain` of its own layer");
    bad("explain/mod.rs", "use crate::scenario::X;", "`explain` uses `scenario` of its own layer");
    bad("foreign/mod.rs", "use crate::run::run;", "`foreign` uses `run` of its own layer");
    bad("linearizability/mod.rs", "use crate::history::X;", "may use layer 0 alone");
    good(&[("sim/mod.rs", "use crate::time::Time; // use crate::cli::X; f64")]);
    good(&[(
        "sim/mod.rs",
        "/// [`crate::run::run`], `f64`\n/* /* crate::cli */ HashMap */ fn f() {}",
    )]);
    good(&[("sim/mod.rs", "const X: &str = \"crate::cli f64\"; const Y: &str = r#\"\"f64\"\"#;")]);
    good(&[("sim/mod.rs", "fn f<'a>(c: char) -> bool { c == '\"' || c == '\\'' } // f64 \"")]);
    good(&[("sim/node.rs", "use super::disk::X; mod inner { use super::super::disk::X; }")]);
    good(&[("linearizability/mod.rs", "use crate::time::Time; use crate::linearizability::X;")]);
    good(&[("scenario/mod.rs", "use crate::run::run; use crate::explain::story;")]);
    good(&[("run.rs", "fn describe(toml: &str) -> Time { crate::time::Time::ZERO }")]);
    good(&[("lib.rs", "pub use crate::cli::main;")]);
}

#[test]
fn protocols_do_not_know_each_other() {
    let other =
        [("protocol/raft/mod.rs", ""), ("protocol/leader_follower/mod.rs", "pub struct X;")];
    let with = |file, text| [vec![(file, text)], other.to_vec()].concat();
    let bad = |file, text, words| bad(&with(file, text), Rule::Protocols, words);
    let sibling = "`raft` uses its sibling protocol `leader_follower`";
    bad("protocol/raft/log.rs", "use crate::protocol::leader_follower::X;", sibling);
    bad("protocol/raft/log.rs", "use super::super::leader_follower::X;", sibling);
    bad("protocol/raft/log.rs", "use crate::protocol::{store::S, leader_follower::Y};", sibling);
    let part = "a part uses the protocol `raft`";
    bad("protocol/parts/log.rs", "use crate::protocol::raft::X;", part);
    bad("protocol/parts/log.rs", "fn f(cx: &mut Context<P>) {}", "a part names `Context`");
    good(&with(
        "protocol/raft/log.rs",
        "use super::super::parts::log::Log; use super::election::X;",
    ));
    good(&with("protocol/parts/log.rs", "use super::quorum::majority; // no Context"));
    good(&with("protocol/parts/wal.rs", "fn f<P: Protocol>(cx: &mut Context<P>) {}"));
    good(&with("protocol/mod.rs", "pub mod raft; pub mod leader_follower;"));
    good(&with("scenario/mod.rs", "use crate::protocol::raft::Config;"));
    // By a name that the contract passes on.
    let passed_on = [
        ("protocol/mod.rs", "pub use leader_follower::X;"),
        ("protocol/raft/log.rs", "use crate::protocol::X;"),
    ];
    self::bad(&[&other[..], &passed_on].concat(), Rule::Protocols, sibling);
}

#[test]
fn things_stay_where_they_belong() {
    let bad = |file, text, words| bad(&[(file, text)], Rule::Place, words);
    bad("run.rs", "use toml::Value;", "`toml` outside scenario");
    bad("cli/run.rs", "use plotters::prelude;", "`plotters` outside report");
    for print in ["print!", "println!", "eprint!", "eprintln!"] {
        let text = format!("fn f() {{ {print}(); }}");
        let words = format!("`{print}` outside cli");
        self::bad(&[("report/json.rs", &text)], Rule::Place, &words);
    }
    bad("report/json.rs", "fn f() { vec![dbg!(1)]; }", "`dbg!` outside cli");
    bad("sim/mod.rs", "fn f() { std::process::exit(1) }", "`process::exit` outside cli");
    bad("cli/run.rs", "use std::{fmt, net::TcpListener};", "a socket outside cli/serve");
    bad("lab/mod.rs", "use tiny_http::Server;", "a socket outside cli/serve");
    bad("lab/mod.rs", "use std::os::unix::net::UnixStream;", "a socket outside cli/serve");
    bad("sim/mod.rs", "use std::collections::HashMap;", "`HashMap` below layer 5");
    bad("sim/mod.rs", "use std::collections::{BTreeMap, HashSet};", "`HashSet` below layer 5");
    bad("sim/mod.rs", "use std::time::Instant;", "`std::time` below layer 5");
    bad("sim/mod.rs", "use std::{fmt, time};", "`std::time` below layer 5");
    bad("sim/mod.rs", "fn f() { let x: f64 = y; }", "`f64` below layer 5");
    bad("sim/mod.rs", "const X: u32 = 1f32;", "a float below layer 5");
    bad("sim/mod.rs", "fn f() { g(1.5) }", "a float below layer 5");
    bad("sim/mod.rs", "fn f() { assert!(x < 1.5) }", "a float below layer 5");
    let tests = "#[cfg(test)]\nmod tests {\n    use crate::cli;\n    const X: f64 = 1.0;\n}";
    good(&[("sim/mod.rs", &format!("fn f() {{}}\n{tests}"))]);
    good(&[("sim/mod.rs", "#[cfg(test)]\n#[inline]\npub(crate) fn f(x: f64) {} fn g() {}")]);
    bad("sim/mod.rs", "#[cfg(test)]\nfn f() {}\nfn g(x: f64) {}", "src/sim/mod.rs:3: `f64`");
    good(&[("sim/mod.rs", "fn f() { assert!(pair.0.1 == x.1) }")]);
    good(&[("config/workload.rs", "pub struct S { pub exponent: f64 }")]);
    good(&[("scenario/parse.rs", "use toml::Value; use std::time::Duration; const X: f64 = 0.5;")]);
    good(&[("cli/mod.rs", "fn f() { print!(); eprintln!(); std::process::exit(1) }")]);
    good(&[("cli/serve/http.rs", "use std::net::TcpListener; use tiny_http::Server;")]);
    good(&[("sim/mod.rs", "fn f(net: &Network, plotters: u32, toml: bool) { exit(net) }")]);
}

#[test]
fn files_make_no_circle() {
    let bad = |files: &[File], words| bad(files, Rule::Circle, words);
    let two = [
        ("sim/a.rs", "use super::b::B; pub struct A;"),
        ("sim/b.rs", "pub struct B;\nfn f(a: crate::sim::a::A) {}"),
    ];
    bad(
        &two,
        "a circle of 2 files:\n    src/sim/a.rs:1 -> src/sim/b.rs (B)\n    \
         src/sim/b.rs:2 -> src/sim/a.rs (A)",
    );
    let three = [
        ("sim/a.rs", "use super::b; fn f() { b::g() }"),
        ("sim/b.rs", "pub fn g() { super::c::h() }"),
        ("sim/c.rs", "pub fn h() { vec![crate::sim::a::f()]; }"),
    ];
    bad(&three, "a circle of 3 files");
    let parent = [
        ("sim/mod.rs", "mod child; pub struct Parent(child::Child);"),
        ("sim/child.rs", "pub struct Child; impl Child { fn f(_: super::Parent) {} }"),
    ];
    bad(&parent, "src/sim/child.rs:1 -> src/sim/mod.rs (Parent)");
    let through_a_glob = [
        ("sim/mod.rs", "pub use a::*;"),
        ("sim/a.rs", "pub struct A; use super::b::B;"),
        ("sim/b.rs", "pub struct B; use super::A;"),
    ];
    bad(&through_a_glob, "a circle of 2 files");
    // A parent that passes on what its children define is no part of a circle, even where a child
    // uses what the parent defines.
    good(&[
        ("sim/mod.rs", "mod child; pub(crate) use child::Child; pub struct Parent;"),
        ("sim/child.rs", "pub struct Child(super::Parent);"),
    ]);
    let both = [
        ("sim/mod.rs", "mod child; pub use child::Child; pub struct Parent(Child);"),
        ("sim/child.rs", "pub struct Child; fn f(_: super::Parent) {}"),
    ];
    bad(&both, "src/sim/mod.rs:1 -> src/sim/child.rs (Child)");
    good(&[
        ("sim/mod.rs", "mod a; mod b; pub use a::A; pub use b::B;"),
        ("sim/a.rs", "pub struct A;"),
        ("sim/b.rs", "use super::A; pub struct B;"),
    ]);
    good(&[
        ("sim/mod.rs", "mod a; pub(crate) use self::a::{run as play, run};"),
        ("sim/a.rs", "pub fn run() {}"),
        ("sim/b.rs", "use crate::sim::play;"),
    ]);
    // Nor does it use what it declares, or a module that it only names.
    good(&[
        ("sim/mod.rs", "mod run; pub struct Parent; use run::run;"),
        ("sim/run.rs", "pub fn run() {}"),
    ]);
    good(&[
        ("sim/a.rs", "use super::b; pub struct A;"),
        ("sim/b.rs", "use super::a::A; fn f(b: u32) {}"),
    ]);
    // What is inside a file is no other file, and tests may look back.
    good(&[
        ("sim/a.rs", "pub struct A; mod inner { use super::A; pub struct I; } use inner::I;"),
        ("sim/b.rs", "use super::a::A; pub struct B;"),
        ("sim/c.rs", "#[cfg(test)] mod tests { use crate::sim::d::D; } pub struct C;"),
        ("sim/d.rs", "use super::c::C; pub struct D;"),
    ]);
    let contract = [
        (
            "protocol/mod.rs",
            "mod context; pub trait Protocol { fn f(cx: context::Context<Self>); }",
        ),
        ("protocol/context.rs", "use super::Protocol; pub struct Context<P: Protocol>(P);"),
    ];
    good(&contract);
}

#[test]
fn rooms_make_no_circle() {
    let two = [
        ("report/a.rs", "use crate::fuzz::b::B;"),
        ("report/c.rs", "pub struct C;"),
        ("fuzz/b.rs", "pub struct B;"),
        ("fuzz/d.rs", "use crate::report::c::C;"),
    ];
    bad(&two, Rule::CircleOfRooms, "`fuzz`, `report` use each other");
    good(&two[..3]);
}

#[test]
fn sizes_are_kept() {
    let lines = |count: usize| "// x\n".repeat(count);
    bad(&[("id.rs", &lines(601))], Rule::FileLength, "601 lines");
    bad(&[("tests/it/time.rs", &lines(601))], Rule::FileLength, "601 lines");
    good(&[("id.rs", &lines(600))]);

    let function =
        |lines: usize| format!("#[inline]\nfn f() {{\n{}}}\n", "g();\n".repeat(lines - 2));
    bad(&[("id.rs", &function(81))], Rule::FunctionLength, "src/id.rs:2: `f` has 81 lines");
    let method = format!("#[cfg(test)]\nimpl S {{\n{}}}\n", function(81));
    bad(&[("id.rs", &method)], Rule::FunctionLength, "`f` has 81 lines");
    good(&[("id.rs", &function(80))]);
    good(&[("id.rs", &format!("trait T {{\n{}}}\n", function(80)))]);

    let comment = |width: usize| format!("//{}\n", "é".repeat(width - 2));
    bad(&[("id.rs", &comment(101))], Rule::LineWidth, "101 characters");
    bad(&[("benches/runs.rs", &comment(101))], Rule::LineWidth, "101 characters");
    good(&[("id.rs", &comment(100))]);
}

#[test]
fn visible_functions_take_no_tuple_apart() {
    let bad = |text| bad(&[("id.rs", text)], Rule::TupleParameter, "`f` takes a tuple apart");
    bad("pub fn f((a, b): (u32, u32)) {}");
    bad("pub(crate) fn f(x: u32, &(a, b): &(u32, u32)) {}");
    bad("impl S { pub(super) fn f(&self, (a, _): (u32, u32)) {} }");
    bad("impl S { pub(in crate::id) fn f(S((a, b)): S) {} }");
    bad("pub trait T { fn f((a, b): (u32, u32)) {} }");
    good(&[("id.rs", "fn f((a, b): (u32, u32)) {} impl S { fn f((a, b): (u32, u32)) {} }")]);
    good(&[("id.rs", "impl T for S { fn f((a, b): (u32, u32)) {} }")]);
    good(&[("id.rs", "pub fn f(S(a): S, [b, c]: [u32; 2]) { g(|(a, b)| a + b) }")]);
}

#[test]
fn a_name_has_one_meaning() {
    for other in ["type Entry = u32;", "enum Entry {}", "trait Entry {}", "union Entry { x: u8 }"] {
        let two = [("sim/a.rs", "struct Entry;"), ("sim/b.rs", other)];
        bad(&two, Rule::DoubleName, "src/sim/a.rs:1: `Entry` has 2 definitions");
    }
    bad(&[("sim/a.rs", "struct DiskManager;")], Rule::EmptyName, "`DiskManager` says nothing");
    good(&[
        ("sim/a.rs", "mod a { struct X; } mod b { struct X; } #[cfg(test)] enum Y {}"),
        ("sim/b.rs", "fn Entry() {} impl T for S { type X = u32; } enum Y { X }"),
    ]);
}

#[test]
fn no_file_is_dead() {
    let lib = ("lib.rs", "pub mod sim; pub mod id;");
    let files = [lib, ("id.rs", ""), ("sim/mod.rs", "mod disk;"), ("sim/disk.rs", "")];
    good(&files);
    bad(&[&files[..], &[("sim/old.rs", "")]].concat(), Rule::DeadFile, "src/sim/old.rs");
}

#[test]
fn files_compiled_for_tests_alone_are_exempt() {
    let files = [
        ("report/mod.rs", "#[cfg(test)]\npub(crate) mod sample;\nmod text;"),
        ("report/sample.rs", ""),
        ("report/sample/deep.rs", ""),
        ("report/text.rs", "#[cfg(test)] mod tests;"),
        ("report/text/tests.rs", ""),
        ("report/tests.rs", ""),
    ];
    let sources: Vec<_> = files
        .iter()
        .map(|(file, text)| Source::new(&format!("src/{file}"), (*text).into()))
        .collect();
    assert_eq!(rules::test_only(&sources), [1, 2, 4]);
}
