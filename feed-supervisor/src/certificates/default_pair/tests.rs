use std::os::unix::fs::symlink;

use super::super::fixture::{Pair, self_signed};
use super::*;
use crate::nginx::fixture::eventually;

fn write(directory: &Path, pair: &Pair) {
    fs::write(directory.join("pair.crt"), &pair.crt).unwrap();
    fs::write(directory.join("pair.key"), &pair.key).unwrap();
}

fn good() -> Pair {
    self_signed(&["default.example"], 2024, 2034)
}

#[test]
fn a_pair_that_cannot_be_used_is_a_sentence() {
    let directory = tempfile::tempdir().unwrap();
    let stem = directory.path().join("pair");
    let sentence = || read(&stem).map(|_| ()).unwrap_err().to_string();
    let place = stem.display();
    assert_eq!(
        sentence(),
        format!(
            "cannot read the default certificate: {place}.crt: No such file or directory (os error 2) (--ssl-path)"
        )
    );
    let (one, other) = (good(), good());
    write(directory.path(), &Pair { crt: one.crt.clone(), ..other });
    assert_eq!(
        sentence(),
        format!(
            "the default certificate {place} cannot be used: its file .key belongs to none of the certificates in file .crt (--ssl-path)"
        )
    );
    write(directory.path(), &one);
    assert!(read(&stem).unwrap().problem.is_none());
}

#[test]
fn one_that_has_expired_is_better_than_none() {
    let directory = tempfile::tempdir().unwrap();
    write(directory.path(), &self_signed(&["default.example"], 2020, 2021));
    let problem = read(&directory.path().join("pair")).unwrap().problem.unwrap();
    assert!(problem.contains("has expired: it was valid until 2021-01-01T00:00:00Z"), "{problem}");
}

/// A pair that is mounted as Kubernetes mounts Secrets: `..data` is a link, and is replaced as a whole.
struct Mounted {
    directory: tempfile::TempDir,
    swaps: u32,
}

impl Mounted {
    fn new(pair: &Pair) -> Self {
        let mut mounted = Self { directory: tempfile::tempdir().unwrap(), swaps: 0 };
        mounted.swap(pair);
        for file in ["pair.crt", "pair.key"] {
            symlink(format!("..data/{file}"), mounted.directory.path().join(file)).unwrap();
        }
        mounted
    }

    fn swap(&mut self, pair: &Pair) {
        let root = self.directory.path();
        self.swaps += 1;
        let version = format!("..version-{}", self.swaps);
        fs::create_dir(root.join(&version)).unwrap();
        write(&root.join(&version), pair);
        symlink(&version, root.join("..new")).unwrap();
        fs::rename(root.join("..new"), root.join("..data")).unwrap();
        let before = root.join(format!("..version-{}", self.swaps - 1));
        if before.exists() {
            fs::remove_dir_all(before).unwrap();
        }
    }
}

#[tokio::test]
async fn what_replaces_it_is_told_and_what_is_of_no_use_is_not() {
    let first = good();
    let mut mounted = Mounted::new(&first);
    let stem = mounted.directory.path().join("pair");
    let health = Health::new();
    let (told, pair) = watch::channel(read(&stem).unwrap());
    let digest = || pair.borrow().certificate.pair.digest();
    let before = digest();
    let following = tokio::spawn(follow(stem.clone(), told, health.clone()));

    mounted.swap(&good());
    eventually("the pair is replaced", || digest() != before).await;
    let second = digest();

    mounted.swap(&Pair { key: "rubbish".into(), ..first.clone() });
    eventually("the fault is told", || !health.unhealthy().is_empty()).await;
    let problems = health.unhealthy();
    assert!(problems[0].ends_with("; the last good one is served"), "{problems:?}");
    assert_eq!(pair.borrow().problem.as_ref(), problems.first());
    assert_eq!(digest(), second);

    fs::remove_file(mounted.directory.path().join("..data")).unwrap();
    let is_gone = |problem: &String| problem.contains("No such file");
    eventually("that it is gone is told", || health.unhealthy().iter().any(is_gone)).await;
    assert_eq!(digest(), second);

    mounted.swap(&first);
    eventually("the pair is back", || digest() == before).await;
    eventually("all is well", || health.unhealthy().is_empty()).await;
    following.abort();
}

#[tokio::test]
async fn a_fifo_in_its_place_is_told_of_and_stops_nothing() {
    let first = good();
    let directory = tempfile::tempdir().unwrap();
    write(directory.path(), &first);
    let stem = directory.path().join("pair");
    let health = Health::new();
    let (told, pair) = watch::channel(read(&stem).unwrap());
    let before = pair.borrow().certificate.pair.digest();
    let following = tokio::spawn(follow(stem.clone(), told, health.clone()));
    fs::remove_file(directory.path().join("pair.key")).unwrap();
    nix::unistd::mkfifo(&directory.path().join("pair.key"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    let is_told = |problem: &String| problem.contains("pair.key: it is no regular file");
    eventually("that it is no file is told", || health.unhealthy().iter().any(is_told)).await;
    assert_eq!(pair.borrow().certificate.pair.digest(), before);

    fs::remove_file(directory.path().join("pair.key")).unwrap();
    write(directory.path(), &good());
    eventually("the pair is replaced", || pair.borrow().certificate.pair.digest() != before).await;
    eventually("all is well", || health.unhealthy().is_empty()).await;
    following.abort();
}

#[test]
fn every_directory_on_the_way_is_watched() {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path();
    fs::create_dir(root.join("a")).unwrap();
    symlink("a/b", root.join("link")).unwrap();
    symlink("../c", root.join("a/b")).unwrap();
    let watched = directories_of(root.join("link"));
    assert_eq!(watched, [root.to_owned(), root.join("a"), root.join("a/..")]);
    symlink("loop", root.join("loop")).unwrap();
    assert_eq!(directories_of(root.join("loop")).len(), LINKS);
}
