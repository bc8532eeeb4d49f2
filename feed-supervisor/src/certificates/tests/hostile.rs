//! Whatever is let through, nginx loads: certificates and keys with bytes that are not as they were.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::process::Command;

use rustls::pki_types::pem::{PemObject, SectionKind};

use super::super::fixture::{Pair, issued, rsa, self_signed, self_signed_with};
use super::super::{examine, pem};
use feed_reconcile::certificate::KeyPair;

/// Of each pair.
const MUTANTS: usize = 2000;

/// Tags: kinds of values are what parsers differ about.
const KINDS: [u8; 20] = [1, 2, 3, 4, 5, 6, 12, 18, 19, 20, 22, 23, 24, 26, 28, 30, 48, 49, 128, 160];

/// A text in PEM form whose sections have some bytes changed, left out or added.
fn mutated(text: &str, random: &mut fastrand::Rng) -> String {
    let sections = <(SectionKind, Vec<u8>)>::pem_slice_iter(text.as_bytes()).map(Result::unwrap);
    let mut mutated = String::new();
    for (kind, mut der) in sections {
        for _ in 0..random.usize(0..3) {
            let at = random.usize(0..der.len());
            match random.u8(0..8) {
                0 => drop(der.remove(at)),
                1 => der.insert(at, random.u8(..)),
                2..5 => der[at] = random.u8(..),
                _ => der[at] = KINDS[random.usize(0..KINDS.len())],
            }
        }
        pem::write(&mut mutated, kind, &der);
    }
    mutated
}

fn let_through() -> Vec<KeyPair> {
    let mut random = fastrand::Rng::with_seed(7);
    let chained = issued(&["www.example.com"]);
    let chained = Pair { crt: format!("{}{}", chained.leaf.crt, chained.intermediate), ..chained.leaf };
    let pairs = [
        self_signed(&["www.example.com", "*.example.org"], 2024, 2034),
        chained,
        self_signed_with(&rsa()),
        self_signed_with(&rcgen::KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap()),
        self_signed_with(&rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P384_SHA384).unwrap()),
    ];
    let mut through = Vec::new();
    let mut known = BTreeSet::new();
    for pair in &pairs {
        for _ in 0..MUTANTS {
            let crt = mutated(&pair.crt, &mut random);
            let key = if random.bool() { pair.key.clone() } else { mutated(&pair.key, &mut random) };
            if let Ok(certificate) = examine(crt.as_bytes(), key.as_bytes())
                && known.insert(certificate.pair.digest())
            {
                through.push(certificate.pair);
            }
        }
    }
    through
}

#[test]
fn whatever_is_let_through_nginx_loads() {
    let through = let_through();
    assert!(through.len() > 500, "only {} are let through", through.len());
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name).display().to_string();
    let mut servers = String::new();
    for (number, pair) in through.iter().enumerate() {
        let file = path(&format!("{number}.pem"));
        fs::write(&file, pair.pem()).unwrap();
        writeln!(
            servers,
            "server {{ listen unix:{} ssl; server_name {number}.example; ssl_certificate {file}; ssl_certificate_key {file}; }}",
            path("socket")
        )
        .unwrap();
    }
    let text = format!(
        "pid {};\nerror_log stderr;\nevents {{}}\nhttp {{\naccess_log off;\nserver_names_hash_max_size 65536;\n{servers}}}\n",
        path("pid")
    );
    fs::write(path("nginx.conf"), text).unwrap();
    let output = Command::new("nginx").args(["-t", "-c", &path("nginx.conf")]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
}
