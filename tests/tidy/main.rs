//! The architecture, held by tests: who may import whom, what the pure crate is made of, how long files get.
//!
//! What a lint can hold is in the clippy.toml files; here is the rest.

#![expect(clippy::unwrap_used, reason = "here a failed expectation is a failed test")]

mod flags;
mod generated;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// The Rust files below a folder, as paths from the root of the repository.
fn rust_files(folder: &str) -> Vec<String> {
    let mut files = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        let Ok(entries) = fs::read_dir(&folder) else { continue };
        for entry in entries {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                files.push(path.strip_prefix(root()).unwrap().to_str().unwrap().to_owned());
            }
        }
    }
    files.sort();
    files
}

fn all_rust_files() -> Vec<String> {
    ["feed-reconcile", "feed-supervisor", "feed-dns", "tests"].into_iter().flat_map(rust_files).collect()
}

/// A file's lines up to its tests, without comments.
fn code(file: &str) -> Vec<String> {
    let text = fs::read_to_string(root().join(file)).unwrap();
    let code = text.lines().take_while(|line| !line.starts_with("#[cfg(test)]"));
    code.filter(|line| !line.trim_start().starts_with("//")).map(ToOwned::to_owned).collect()
}

fn is_test(file: &str) -> bool {
    file.starts_with("tests/")
        || file.ends_with("tests.rs")
        || file.contains("/tests/")
        || file.contains("/fixture")
}

/// Fails when a file that `of` names, tests aside, has a line with one of the words.
fn forbid(rule: &str, of: impl Fn(&str) -> bool, words: &[&str]) {
    let files: Vec<String> = all_rust_files().into_iter().filter(|file| !is_test(file) && of(file)).collect();
    assert!(!files.is_empty(), "{rule}: no file is looked at");
    for file in files {
        for line in code(&file) {
            let word = words.iter().find(|word| line.contains(**word));
            assert!(word.is_none(), "{rule}\n{file}: {line}");
        }
    }
}

#[test]
fn nginx_and_dns_do_not_see_each_other() {
    let rule = "In feed-reconcile, dns and nginx never see each other.";
    forbid(rule, |file| file.starts_with("feed-reconcile/src/dns"), &["crate::nginx"]);
    forbid(rule, |file| file.starts_with("feed-reconcile/src/nginx"), &["crate::dns"]);
}

#[test]
fn machines_do_not_see_the_cluster() {
    let machines =
        ["apply", "lease", "membership", "reload"].map(|machine| format!("feed-reconcile/src/{machine}"));
    forbid(
        "A machine knows events and commands, never the cluster.",
        |file| machines.iter().any(|machine| file.starts_with(machine)),
        &["crate::snapshot"],
    );
}

#[test]
fn the_control_loop_sees_no_effects() {
    forbid(
        "The control loop sees traits, never the API, a process or a file.",
        |file| file.starts_with("feed-supervisor/src/control"),
        &["kube::", "nix::", "rustix::", "aws_", "std::fs", "tokio::fs", "std::process", "tokio::process"],
    );
}

#[test]
fn only_app_knows_app() {
    let wiring = |file: &str| {
        ["app", "control", "main"]
            .iter()
            .any(|module| file.starts_with(&format!("feed-supervisor/src/{module}")))
    };
    forbid(
        "A leaf module imports neither the wiring nor the loop.",
        |file| file.starts_with("feed-supervisor/src/") && !wiring(file),
        &["crate::app", "crate::control"],
    );
}

#[test]
fn the_shared_runtime_stands_alone() {
    forbid(
        "runtime is shared with feed-dns and knows nothing of nginx.",
        |file| file.starts_with("feed-supervisor/src/runtime"),
        &[
            "crate::nginx",
            "crate::config",
            "crate::frontend",
            "crate::metrics",
            "crate::status",
            "feed_reconcile::nginx",
        ],
    );
}

#[test]
fn flags_stay_with_the_command_line() {
    let parses = |file: &str| file.contains("/cli") || file.contains("/flags") || file.ends_with("main.rs");
    forbid(
        "clap stays in cli.",
        |file| (file.starts_with("feed-supervisor/src") || file.starts_with("feed-dns/src")) && !parses(file),
        &["clap::"],
    );
}

#[test]
fn feed_dns_knows_only_what_is_shared() {
    let modules = ["app", "cli", "config", "control", "frontend", "metrics", "nginx", "status"];
    let words = modules.map(|module| format!("feed_supervisor::{module}"));
    let words: Vec<&str> = words.iter().map(String::as_str).chain(["feed_reconcile::nginx"]).collect();
    forbid(
        "feed-dns imports of feed-supervisor only runtime, and of nginx nothing.",
        |file| file.starts_with("feed-dns/src"),
        &words,
    );
    forbid(
        "The loop of feed-dns sees traits, never AWS or the API.",
        |file| {
            ["control", "keeper", "plan", "report", "schedule"]
                .iter()
                .any(|it| file.starts_with(&format!("feed-dns/src/{it}")))
        },
        &["aws_", "kube::", "zone::Route53", "Elb::"],
    );
}

#[test]
fn the_pure_crate_is_made_of_pure_crates() {
    let output = Command::new(env!("CARGO"))
        .args([
            "tree",
            "--package",
            "feed-reconcile",
            "--edges",
            "normal",
            "--prefix",
            "none",
            "--format",
            "{p}",
        ])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let tree = String::from_utf8(output.stdout).unwrap();
    let names: BTreeSet<&str> = tree.lines().filter_map(|line| line.split(' ').next()).collect();
    assert!(names.contains("k8s-openapi"), "{tree}");
    for impure in [
        "tokio",
        "kube",
        "kube-client",
        "hyper",
        "nix",
        "rustix",
        "rustls",
        "tracing",
        "clap",
        "feed-supervisor",
    ] {
        assert!(!names.contains(impure), "feed-reconcile depends on {impure}");
    }
}

#[test]
fn files_stay_short() {
    let mut lengths: Vec<(usize, String)> = all_rust_files()
        .into_iter()
        .filter(|file| !is_test(file))
        .map(|file| {
            let text = fs::read_to_string(root().join(&file)).unwrap();
            (text.lines().take_while(|line| !line.starts_with("#[cfg(test)]")).count(), file)
        })
        .collect();
    lengths.sort();
    let (longest, file) = lengths.last().unwrap();
    assert!(*longest <= 500, "{file} has {longest} lines");
    let (median, _) = &lengths[lengths.len() / 2];
    assert!(*median <= 150, "half of the files have more than {median} lines");
}

#[test]
fn modules_have_names() {
    let unnamed: Vec<String> =
        all_rust_files().into_iter().filter(|file| file.ends_with("/mod.rs")).collect();
    assert!(unnamed.is_empty(), "name the file after its module: {unnamed:?}");
}

#[test]
fn no_test_is_left_out() {
    let attribute = ["#[ign", "ore"].concat();
    for file in all_rust_files() {
        let text = fs::read_to_string(root().join(&file)).unwrap();
        assert!(!text.contains(&attribute), "{file} ignores a test");
    }
}
