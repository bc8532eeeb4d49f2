//! Every flag of the frontends is used by a test that runs the real binary. That `--help`, the README's tables and the
//! configuration have every flag is held where the flags are.

use std::fs;

use crate::{root, rust_files};

#[test]
fn every_flag_of_the_frontends_is_used_end_to_end() {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let (_, of_frontends) = readme.split_once("\n### Ingress status (static)\n").unwrap();
    let (of_frontends, _) = of_frontends.split_once("\n## ").unwrap();
    let flags = of_frontends.lines().filter_map(|line| line.strip_prefix("| `--")?.split_once('`'));
    let flags: Vec<&str> = flags.map(|(flag, _)| flag).collect();
    assert!(flags.len() > 35, "{flags:?}");
    let tests: String = ["tests/frontend", "tests/it", "tests/load"]
        .into_iter()
        .flat_map(rust_files)
        .map(|file| fs::read_to_string(root().join(file)).unwrap())
        .collect();
    let is_used = |flag: &&str| ["\"", "=", " "].iter().any(|end| tests.contains(&format!("--{flag}{end}")));
    let unused: Vec<&str> = flags.into_iter().filter(|flag| !is_used(flag)).collect();
    assert!(unused.is_empty(), "no end-to-end test uses {unused:?}");
}
