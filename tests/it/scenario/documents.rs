//! Scenarios as documents: an edited document decodes to what its text would, and the brief form
//! means the same.

use splitbrain::scenario::{Document, LISTS, Registry, Scenario};

use crate::support::scenario::{MAXIMAL, read, shipped};

fn all() -> Vec<(String, Scenario)> {
    let maximal = MAXIMAL.iter().map(|text| ("maximal".to_owned(), read(text)));
    let load = |path: std::path::PathBuf| {
        let text = std::fs::read_to_string(&path).expect("listed just now");
        (path.display().to_string(), read(&text))
    };
    maximal.chain(shipped().into_iter().map(load)).collect()
}

fn assert_same(a: &Scenario, b: &Scenario, what: &str) {
    assert_eq!((&a.config, &a.names), (&b.config, &b.names), "{what}");
    assert_eq!(a.protocol.name(), b.protocol.name(), "{what}");
    assert_eq!(a.protocol.encode(), b.protocol.encode(), "{what}");
    assert_eq!(a.fuzz, b.fuzz, "{what}");
}

#[test]
fn a_document_decodes_to_what_its_text_decodes_to() {
    for (name, scenario) in all() {
        let document = Document::of(&scenario);
        let decoded = document.try_scenario("s.toml", &Registry::new()).expect("it is one");
        assert_same(&scenario, &decoded, &name);
        assert_same(&read(&document.render()), &decoded, &name);
        assert_eq!(decoded.name, "s");
    }
}

#[test]
fn the_brief_form_means_the_same_and_has_no_key_to_spare() {
    let registry = Registry::new();
    for (name, scenario) in all() {
        let document = Document::of(&scenario);
        let brief = document.brief(&registry);
        let text = brief.render();
        assert_same(&scenario, &read(&text), &format!("{name}\n{text}"));
        let is_same = |candidate: Document| {
            candidate.try_scenario("s.toml", &registry).is_some_and(|other| {
                (&other.config, &other.names, other.protocol.encode(), &other.fuzz)
                    == (
                        &scenario.config,
                        &scenario.names,
                        scenario.protocol.encode(),
                        &scenario.fuzz,
                    )
            })
        };
        for path in brief.leaves() {
            assert!(!is_same(brief.without_key(&path)), "{name}: `{path}` may go\n{text}");
        }
        for list in LISTS {
            for place in 0..brief.count(list) {
                for (key, _) in brief.item(list, place) {
                    let without = brief.without_in(list, place, &key);
                    assert!(!is_same(without), "{name}: `{key}` of {list} {place} may go\n{text}");
                }
            }
        }
    }
}

const SMALL: &str = r#"title = "Two writes"
duration = "5s"

[cluster]
nodes = 3

[protocol.leader-follower]

[protocol.leader-follower.failover]
election = "lowest-id"

[network]
delay = "2ms"

[[operation]]
at = "1s"
client = "ann"
put = { key = "city", value = "Raleigh" }

[[operation]]
at = "2s"
client = "ann"
get = { key = "city", from = "n2" }
timeout = "1s"
expect = { value = "Raleigh" }

[[fault]]
at = "1.5s"
crash = "n1"

[[fault]]
id = "second"
at = "3s"
for = "1s"
slow = { from = "n1", by = { uniform = ["1ms", "2ms"] } }

[expect]
durability = "violation"
"#;

#[test]
fn the_brief_form_is_the_file_that_one_would_write() {
    let document = Document::of(&read(SMALL)).brief(&Registry::new());
    assert_eq!(document.render(), SMALL);
    let told =
        document.with_comment(&["A story.".to_owned(), String::new(), "a\nb\u{7}".to_owned()]);
    assert_eq!(told.render(), format!("# A story.\n#\n# a\n# b\u{fffd}\n\n{SMALL}"));
    read(&told.render());
}

#[test]
fn settings_are_read_set_and_left_out_by_path() {
    let document = Document::of(&read(SMALL));
    let heartbeat = "protocol.leader-follower.failover.heartbeat";
    assert!(document.leaves().iter().any(|leaf| leaf == heartbeat));
    assert!(document.leaves().iter().any(|leaf| leaf == "network.delay"));
    assert!(!document.leaves().iter().any(|leaf| leaf.starts_with("fault")));
    assert_eq!(document.get(heartbeat).as_deref(), Some("\"2s\""));
    assert_eq!(document.get("network.nothing"), None);
    assert_eq!(document.get("a..b"), None);

    let faster = document.set(heartbeat, "\"1s\"");
    assert_eq!(faster.get(heartbeat).as_deref(), Some("\"1s\""));
    assert_eq!(document.get(heartbeat).as_deref(), Some("\"2s\""), "the first stays as it is");
    let words = document.set("protocol.leader-follower.mode", "sync");
    assert_eq!(words.get("protocol.leader-follower.mode").as_deref(), Some("\"sync\""));
    let replaced = document.set("network.delay.uniform", "[\"0ms\", \"1s\"]");
    assert_eq!(replaced.get("network.delay").as_deref(), Some("{ uniform = [\"0ms\", \"1s\"] }"));
    assert_eq!(document.set("a..b", "1"), document);

    let brief = document.brief(&Registry::new());
    let plain = brief.without_key("protocol.leader-follower.failover.election");
    assert!(plain.render().contains("\n[protocol.leader-follower]\n"), "{}", plain.render());
    assert!(!plain.render().contains("failover"), "{}", plain.render());
    assert!(!brief.without_key("network.delay").render().contains("network"));
    assert!(!document.without_key("network").render().contains("network"));
}

#[test]
fn items_are_counted_read_set_and_left_out() {
    let document = Document::of(&read(SMALL)).brief(&Registry::new());
    assert_eq!(LISTS.map(|list| document.count(list)), [0, 2, 2, 0, 0, 0, 0]);
    assert_eq!(document.count("workload"), 0);
    let leaves = document.item("operation", 1);
    let leaves: Vec<_> =
        leaves.iter().map(|(path, value)| (path.as_str(), value.as_str())).collect();
    let expected = [
        ("at", "\"2s\""),
        ("client", "\"ann\""),
        ("get.key", "\"city\""),
        ("get.from", "\"n2\""),
        ("timeout", "\"1s\""),
        ("expect.value", "\"Raleigh\""),
    ];
    assert_eq!(leaves, expected);
    assert_eq!(document.item("operation", 2), []);

    let one = document.without("operation", &[0, 7]);
    assert_eq!(one.item("operation", 0), document.item("operation", 1));
    let none = one.without("operation", &[0]);
    assert!(!none.render().contains("operation"), "{}", none.render());

    let shorter = document.set_in("fault", 1, "for", "\"5ms\"");
    assert_eq!(shorter.get_in("fault", 1, "for").as_deref(), Some("\"5ms\""));
    let other = shorter.set_in("fault", 1, "pause", "\"n2\"");
    assert_eq!(other.get_in("fault", 1, "slow"), None, "a fault is one thing");
    assert_eq!(document.set_in("fault", 9, "for", "\"5ms\""), document);
    let anyone = document.without_in("operation", 1, "expect.value");
    assert_eq!(anyone.get_in("operation", 1, "expect"), None, "an emptied table goes");
}

#[test]
fn an_edit_that_makes_no_scenario_is_shown_in_its_text() {
    let document = Document::of(&read(SMALL)).set_in("fault", 0, "crash", "\"n9\"");
    let registry = Registry::new();
    assert!(document.try_scenario("edited.toml", &registry).is_none());
    let mistakes = document.scenario("edited.toml", &registry).expect_err("no such node");
    let shown = mistakes.render(false);
    assert!(shown.contains("there is no node `n9`") && shown.contains("edited.toml:"), "{shown}");
    assert_eq!(document.brief(&registry), document, "what is no scenario stays as it is");
}

#[test]
fn a_fault_that_heals_another_and_ids_that_take_turns_survive_the_brief_form() {
    let fault = |more: &str| format!("[[fault]]\nat = \"1s\"\n{more}\n");
    let text = format!(
        "[cluster]\nnodes = 3\n[protocol.leader-follower]\n{}{}{}{}",
        fault("crash = \"n1\""),
        fault("id = \"crash-1s-3\"\ncrash = \"n2\""),
        fault("crash = \"n3\""),
        fault("heal = \"crash-1s-2\""),
    );
    let scenario = read(&text);
    assert_eq!(scenario.names.faults, ["crash-1s", "crash-1s-3", "crash-1s-2", "heal-1s"]);
    let brief = Document::of(&scenario).brief(&Registry::new());
    assert_same(&scenario, &read(&brief.render()), &brief.render());
    let ids: Vec<_> = (0..4).map(|place| brief.get_in("fault", place, "id")).collect();
    let given = ids.iter().flatten().count();
    assert!(given <= 2, "{ids:?}");
}
