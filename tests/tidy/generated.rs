//! Code that is generated from `proto/`, and committed so that a build needs no generator.

use std::fs;

use crate::root;

/// Where the two sides of the protocol are spoken: a file, and whether it has the client rather than the server.
const SIDES: [(&str, bool); 2] =
    [("feed-supervisor/src/frontend/merlin/wire.rs", true), ("tests/src/merlin/wire.rs", false)];

/// With `INSTA_UPDATE=always` they are written anew, as snapshots are.
#[test]
fn generated_code_is_that_of_the_protocol() {
    let writes = std::env::var("INSTA_UPDATE").is_ok_and(|update| update == "always");
    for (file, is_client) in SIDES {
        let expected = generate(is_client);
        if writes {
            fs::write(root().join(file), &expected).unwrap();
        }
        let found = fs::read_to_string(root().join(file)).unwrap_or_default();
        assert!(
            found == expected,
            "{file} is not what proto/merlin.proto gives: INSTA_UPDATE=always cargo test --package feed-tests --test tidy"
        );
    }
}

fn generate(is_client: bool) -> String {
    let proto = root().join("proto");
    let descriptors = protox::compile([proto.join("merlin.proto")], [proto]).unwrap();
    let folder = tempfile::tempdir().unwrap();
    tonic_prost_build::configure()
        .build_client(is_client)
        .build_server(!is_client)
        .build_transport(false)
        .out_dir(folder.path())
        .compile_fds(descriptors)
        .unwrap();
    without_attributes_of_others(&fs::read_to_string(folder.path().join("types.rs")).unwrap())
}

/// Which lints are not held is said where the file is included, with the reason.
fn without_attributes_of_others(code: &str) -> String {
    let mut kept = String::new();
    let mut is_inside = false;
    for line in code.lines() {
        is_inside |= line.trim() == "#![allow(";
        if !is_inside {
            kept.push_str(line);
            kept.push('\n');
        }
        is_inside &= line.trim() != ")]";
    }
    kept
}
