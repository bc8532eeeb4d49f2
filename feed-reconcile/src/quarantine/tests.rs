use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use proptest::prelude::*;

use super::*;

/// An Ingress whose content is that text.
fn ingress(name: &str, content: &str) -> Arc<Ingress> {
    Arc::new(Ingress {
        metadata: ObjectMeta {
            namespace: Some("test".into()),
            name: Some(name.into()),
            annotations: Some([("content".to_owned(), content.to_owned())].into()),
            ..ObjectMeta::default()
        },
        ..Ingress::default()
    })
}

fn store(ingresses: &[(&str, &str)]) -> Store<Ingress> {
    ingresses.iter().map(|(name, content)| ingress(name, content)).collect()
}

fn name(name: &str) -> ObjectName {
    ObjectName::new("test", name)
}

fn contents(ingresses: &Store<Ingress>) -> Vec<(String, String)> {
    let content = |ingress: &Ingress| ingress.metadata.annotations.as_ref().unwrap()["content"].clone();
    ingresses.iter().map(|(name, ingress)| (name.name.to_string(), content(ingress))).collect()
}

fn named(names: &[&str]) -> BTreeSet<ObjectName> {
    names.iter().map(|it| name(it)).collect()
}

/// What nginx says.
const TEXT: &str = "[emerg] no";

/// Plays nginx, which refuses whatever holds one of these contents, and "worse" even if it only keeps its paths, until nothing
/// is tried any more. Says how many
/// configurations were tried, and what is served.
fn settle(quarantine: &mut Quarantine, wanted: &Store<Ingress>, bad: &[&str]) -> (usize, Store<Ingress>) {
    let mut served = quarantine.taken.clone().unwrap_or_default();
    for tries in 1..200 {
        let tried = quarantine.admit(wanted);
        let closed: Store<Ingress> = quarantine.closed().cloned().collect();
        let refused = contents(&tried).iter().any(|(_, content)| bad.contains(&content.as_str()))
            || contents(&closed).iter().any(|(_, content)| content == "worse");
        let goes_on = if refused {
            quarantine.refused(&tried, &BTreeSet::new(), TEXT, false, |_| true)
        } else {
            served = tried.clone();
            quarantine.taken(tried)
        };
        if !goes_on {
            return (tries, served);
        }
    }
    panic!("there is no end to it: {quarantine:?}");
}

#[test]
fn what_nginx_names_is_held_back_at_its_last_version_or_out() {
    let mut quarantine = Quarantine::default();
    assert!(!quarantine.taken(store(&[("a", "1"), ("b", "1")])));
    let tried = store(&[("a", "2"), ("b", "2"), ("c", "1")]);
    assert!(quarantine.refused(&tried, &named(&["a"]), TEXT, true, |_| true));
    let next = quarantine.admit(&tried);
    assert_eq!(contents(&next), contents(&store(&[("a", "1"), ("b", "2"), ("c", "1")])));
    assert!(
        !quarantine.refused(&tried, &named(&["a"]), TEXT, true, |_| true),
        "a configuration from before tells nothing new"
    );
    assert!(quarantine.refused(&next, &named(&["c"]), TEXT, true, |_| true));
    assert_eq!(contents(&quarantine.admit(&tried)), contents(&store(&[("a", "1"), ("b", "2")])));
    assert_eq!(quarantine.quarantined().cloned().collect::<BTreeSet<_>>(), named(&["a", "c"]));

    let messages: Vec<String> = quarantine.diagnostics().map(|diagnostic| diagnostic.message).collect();
    assert!(messages[0].contains("its last version that nginx took is served instead"), "{messages:?}");
    assert!(
        messages[1].contains("it is not served and its paths answer 503; nginx says: [emerg] no"),
        "{messages:?}"
    );
}

fn closed(quarantine: &Quarantine) -> Vec<&str> {
    quarantine.closed().map(|ingress| ingress.metadata.name.as_deref().unwrap()).collect()
}

#[test]
fn one_without_another_version_keeps_its_paths_unless_nginx_refuses_these_too() {
    let wanted = store(&[("a", "1"), ("b", "bad"), ("c", "1")]);
    let mut quarantine = Quarantine::default();
    let (_, served) = settle(&mut quarantine, &wanted, &["bad"]);
    assert_eq!((contents(&served).len(), closed(&quarantine)), (2, vec!["b"]));
    // It is not blamed for what nginx refuses later, as long as nginx does not name it.
    let worse = store(&[("a", "1"), ("b", "bad"), ("c", "worse")]);
    settle(&mut quarantine, &worse, &["bad", "worse"]);
    assert_eq!(closed(&quarantine), ["b"], "c has a version to fall back on");
    assert!(quarantine.refused(&served, &named(&["b"]), TEXT, true, |_| true));
    assert_eq!(closed(&quarantine), [""; 0]);
    assert!(quarantine.diagnostics().any(|it| it.message.contains("it is not served; nginx says")));

    let mut quarantine = Quarantine::default();
    let (_, served) = settle(&mut quarantine, &store(&[("a", "1"), ("b", "worse")]), &["worse"]);
    assert_eq!((contents(&served).len(), closed(&quarantine)), (1, vec![]));

    let mut quarantine = Quarantine::default();
    let text =
        "[emerg] could not build server_names_hash, you should increase server_names_hash_bucket_size: 64";
    assert!(quarantine.refused(&wanted, &named(&["b"]), text, true, |_| true));
    assert_eq!(closed(&quarantine), [""; 0], "its host would be refused again");
}

#[test]
fn it_is_tried_again_when_it_changes_and_forgotten_when_it_goes() {
    let mut quarantine = Quarantine::default();
    assert!(quarantine.refused(&store(&[("a", "bad"), ("b", "bad")]), &named(&["a"]), TEXT, true, |_| true));
    assert!(quarantine.refused(&store(&[("b", "bad")]), &named(&["b"]), TEXT, true, |_| true));
    let relabelled = {
        let mut changed = Ingress::clone(&ingress("a", "bad"));
        changed.metadata.labels = Some([("label".to_owned(), "new".to_owned())].into());
        [Arc::new(changed), ingress("b", "bad")].into_iter().collect()
    };
    assert!(quarantine.admit(&relabelled).is_empty(), "a label is not what nginx refuses");
    assert_eq!(contents(&quarantine.admit(&store(&[("a", "mended")]))), contents(&store(&[("a", "mended")])));
    assert_eq!(quarantine.diagnostics().count(), 0);
}

#[test]
fn an_ingress_that_did_not_change_is_taken_out_when_nginx_names_it() {
    let mut quarantine = Quarantine::default();
    let all = store(&[("a", "1"), ("b", "1")]);
    quarantine.taken(all.clone());
    assert!(quarantine.refused(&all, &named(&["a"]), TEXT, true, |_| true));
    assert_eq!(contents(&quarantine.admit(&all)), contents(&store(&[("b", "1")])));
}

#[test]
fn a_version_that_stood_in_is_taken_out_when_nginx_refuses_it_too() {
    let mut quarantine = Quarantine::default();
    quarantine.taken(store(&[("a", "1"), ("b", "1")]));
    let wanted = store(&[("a", "2"), ("b", "1")]);
    assert!(quarantine.refused(&wanted, &named(&["a"]), TEXT, true, |_| true));
    let stands_in = quarantine.admit(&wanted);
    assert_eq!(contents(&stands_in), contents(&store(&[("a", "1"), ("b", "1")])));
    // A Service of its has changed.
    assert!(quarantine.refused(&stands_in, &named(&["a"]), TEXT, true, |_| true));
    assert_eq!(contents(&quarantine.admit(&wanted)), contents(&store(&[("b", "1")])));
    assert_eq!(quarantine.quarantined().count(), 1);
}

#[test]
fn nobody_is_blamed_for_what_nobody_changed() {
    let mut quarantine = Quarantine::default();
    let all = store(&[("a", "1"), ("other", "1")]);
    quarantine.taken(all.clone());
    assert!(!quarantine.refused(&all, &BTreeSet::new(), TEXT, true, |_| true));
    let tried = store(&[("a", "1"), ("other", "2")]);
    assert!(
        !quarantine.refused(&tried, &BTreeSet::new(), TEXT, true, |it| *it != name("other")),
        "not adopted"
    );
    assert_eq!(contents(&quarantine.admit(&tried)), contents(&tried));
}

#[test]
fn one_of_a_thousand_is_found_in_some_twenty_tries() {
    let names: Vec<String> = (0..1000).map(|number| format!("i{number:04}")).collect();
    for bad in [0, 1, 499, 500, 998, 999] {
        let wanted: Store<Ingress> = names
            .iter()
            .enumerate()
            .map(|(number, name)| ingress(name, if number == bad { "bad" } else { "good" }))
            .collect();
        let mut quarantine = Quarantine::default();
        let (tries, served) = settle(&mut quarantine, &wanted, &["bad"]);
        assert_eq!(served.len(), 999);
        assert_eq!(quarantine.quarantined().collect::<Vec<_>>(), [&name(&names[bad])]);
        assert!(tries <= 22, "{tries} tries for number {bad}");
    }
}

#[test]
fn those_without_a_line_are_tried_again_when_asked() {
    let mut quarantine = Quarantine::default();
    let wanted = store(&[("a", "1"), ("b", "1"), ("c", "bad")]);
    // For some time nginx refuses everything: it has no more files, say.
    settle(&mut quarantine, &wanted, &["1", "bad"]);
    assert_eq!(quarantine.quarantined().count(), 3);
    assert!(quarantine.doubt());
    let (_, served) = settle(&mut quarantine, &wanted, &["bad"]);
    assert_eq!(contents(&served), contents(&store(&[("a", "1"), ("b", "1")])));
    assert_eq!(quarantine.quarantined().cloned().collect::<BTreeSet<_>>(), named(&["c"]));

    quarantine.refused(&store(&[("d", "bad")]), &named(&["d"]), TEXT, true, |_| true);
    quarantine.doubt();
    assert_eq!(
        quarantine.quarantined().cloned().collect::<BTreeSet<_>>(),
        named(&["d"]),
        "nginx named its line"
    );
}

#[test]
fn nobody_is_tried_out_who_would_not_be_served_meanwhile() {
    let wanted = store(&[("a", "1"), ("b", "bad")]);
    let mut restarted = Quarantine::default();
    assert!(!restarted.refused(&wanted, &BTreeSet::new(), TEXT, true, |_| true));
    assert!(
        restarted.refused(&wanted, &named(&["b"]), TEXT, true, |_| true),
        "but what nginx names is known"
    );
    assert!(!restarted.is_searching());
    let mut fresh = Quarantine::default();
    assert!(fresh.refused(&wanted, &BTreeSet::new(), TEXT, false, |_| true));
    assert!(fresh.is_searching());
}

#[test]
fn a_record_outlives_the_process() {
    let mut quarantine = Quarantine::default();
    quarantine.taken(store(&[("a", "1"), ("b", "1")]));
    let wanted = store(&[("a", "bad"), ("b", "2")]);
    let (_, served) = settle(&mut quarantine, &wanted, &["bad"]);
    let json = serde_json::to_string(&quarantine.record()).unwrap();
    let mut restored = Quarantine::restore(serde_json::from_str(&json).unwrap());
    assert_eq!(restored.record(), quarantine.record());
    assert_eq!(contents(&restored.admit(&wanted)), contents(&served));
    assert_eq!(contents(&served), contents(&store(&[("a", "1"), ("b", "2")])));
}

/// Plays nginx while others change with each step, and what is computed is a step ahead of what nginx says of it.
#[test]
fn the_one_at_fault_is_found_while_others_change() {
    for changes in 1..5 {
        for bad in [0, 7, 12] {
            let mut wanted: Vec<(String, String)> = (0..13)
                .map(|number| (format!("i{number:02}"), if number == bad { "bad" } else { "1" }.to_owned()))
                .collect();
            let mut quarantine = Quarantine::default();
            let (mut in_flight, mut found_after) = (Store::default(), None);
            for step in 0..80 {
                for change in 0..changes {
                    wanted.push((format!("new-{step:03}-{change}"), "1".to_owned()));
                }
                let all: Vec<(&str, &str)> =
                    wanted.iter().map(|(name, content)| (name.as_str(), content.as_str())).collect();
                // Computed before the verdict on the one before is heard.
                let next = quarantine.admit(&store(&all));
                let tried = std::mem::replace(&mut in_flight, next);
                if contents(&tried).iter().any(|(_, content)| content == "bad") {
                    quarantine.refused(&tried, &BTreeSet::new(), TEXT, false, |_| true);
                } else {
                    quarantine.taken(tried);
                }
                let quarantined: Vec<_> = quarantine.quarantined().cloned().collect();
                if !quarantined.is_empty() {
                    assert_eq!(quarantined, [name(&format!("i{bad:02}"))]);
                    found_after.get_or_insert(step);
                }
            }
            assert!(found_after.is_some_and(|steps| steps < 50), "{changes} {bad} {found_after:?}");
            assert!(!quarantine.is_searching());
        }
    }
}

/// What a process that is started again has of it.
fn restarted(quarantine: &Quarantine) -> Quarantine {
    let json = serde_json::to_string(&quarantine.record()).unwrap();
    Quarantine::restore(serde_json::from_str(&json).unwrap())
}

#[test]
fn a_search_goes_on_after_a_restart_at_each_of_its_steps() {
    let before = store(&[("a", "1"), ("b", "1"), ("c", "1")]);
    let wanted =
        store(&[("a", "2"), ("b", "bad"), ("c", "1"), ("d", "1"), ("e", "1"), ("f", "1"), ("g", "1")]);
    for steps in 1..12 {
        let mut quarantine = Quarantine::default();
        quarantine.taken(before.clone());
        for _ in 0..steps {
            let tried = quarantine.admit(&wanted);
            if contents(&tried).iter().any(|(_, content)| content == "bad") {
                quarantine.refused(&tried, &BTreeSet::new(), TEXT, true, |_| true);
            } else {
                quarantine.taken(tried);
            }
        }
        let mut after = restarted(&quarantine);
        for tries in 0.. {
            assert!(tries < 30, "there is no end to it after {steps} steps");
            let tried = after.admit(&wanted);
            let goes_on = if contents(&tried).iter().any(|(_, content)| content == "bad") {
                // nginx serves what the process before has confirmed.
                after.refused(&tried, &BTreeSet::new(), TEXT, true, |_| true)
            } else {
                after.taken(tried)
            };
            if !goes_on {
                break;
            }
        }
        let expected = [("a", "2"), ("b", "1"), ("c", "1"), ("d", "1"), ("e", "1"), ("f", "1"), ("g", "1")];
        assert_eq!(contents(&after.admit(&wanted)), contents(&store(&expected)), "after {steps} steps");
        assert_eq!(after.quarantined().cloned().collect::<BTreeSet<_>>(), named(&["b"]));
    }
}

#[test]
fn what_comes_while_there_is_no_process_is_searched_unless_a_version_is_not_known() {
    let mut quarantine = Quarantine::default();
    quarantine.taken(store(&[("a", "1"), ("b", "1")]));
    let refuse = |quarantine: &mut Quarantine, wanted: &Store<Ingress>| {
        let tried = quarantine.admit(wanted);
        quarantine.refused(&tried, &BTreeSet::new(), TEXT, true, |_| true)
    };
    let new = store(&[("a", "1"), ("b", "1"), ("c", "bad")]);
    let mut after = restarted(&quarantine);
    assert!(refuse(&mut after, &new));
    assert_eq!(after.quarantined().cloned().collect::<BTreeSet<_>>(), named(&["c"]));

    let changed = store(&[("a", "1"), ("b", "bad"), ("c", "1")]);
    let mut after = restarted(&quarantine);
    assert!(!refuse(&mut after, &changed), "what b asked for before could not be served meanwhile");
    assert_eq!(contents(&after.admit(&changed)), contents(&changed));
}

proptest! {
    #[test]
    fn everybody_but_the_culprits_is_served(
        versions in prop::collection::vec((any::<bool>(), prop::sample::select(vec!["1", "2", "bad", "worse"])), 1..40)
    ) {
        let names: Vec<String> = (0..versions.len()).map(|number| format!("i{number:02}")).collect();
        let before: Store<Ingress> =
            versions.iter().zip(&names).filter(|((known, _), _)| *known).map(|(_, name)| ingress(name, "1")).collect();
        let wanted: Store<Ingress> =
            versions.iter().zip(&names).map(|((_, content), name)| ingress(name, content)).collect();
        let mut quarantine = Quarantine::default();
        quarantine.taken(before.clone());
        let (_, served) = settle(&mut quarantine, &wanted, &["bad", "worse"]);
        for ((known, content), it) in versions.iter().zip(&names) {
            let is_bad = ["bad", "worse"].contains(content);
            let expected = match (is_bad, known) {
                (false, _) => Some(*content),
                (true, true) => Some("1"),
                (true, false) => None,
            };
            let served = served.get(&name(it)).map(|ingress| ingress.metadata.annotations.as_ref().unwrap()["content"].clone());
            prop_assert_eq!(served.as_deref(), expected);
        }
        prop_assert!(quarantine.closed().all(|ingress| ingress.metadata.annotations.as_ref().unwrap()["content"] == "bad"));
        let culprits = versions.iter().filter(|(_, content)| ["bad", "worse"].contains(content)).count();
        prop_assert_eq!(quarantine.quarantined().count(), culprits);
    }
}
