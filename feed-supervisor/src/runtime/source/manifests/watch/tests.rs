use std::collections::HashMap;
use std::fs;
use std::io::Write as _;
use std::time::Duration;

use super::*;

/// The directory, watched.
fn watched() -> (tempfile::TempDir, Watch) {
    let directory = tempfile::tempdir().unwrap();
    let mut watch = Watch::new();
    assert!(watch.directories(BTreeSet::from([directory.path().to_owned()])));
    (directory, watch)
}

/// Writes a file as editors do that rename.
fn put(path: &Path) {
    let part = path.with_extension("part");
    fs::write(&part, "").unwrap();
    fs::rename(part, path).unwrap();
}

/// What is told last of each file, once this one is settled.
async fn last_events(watch: &mut Watch, until_settled: &Path) -> HashMap<PathBuf, FileEvent> {
    let mut last = HashMap::new();
    let deadline = tokio::time::Instant::now() + Duration::from_secs(10);
    while !matches!(last.get(until_settled), Some(FileEvent::Settled(_))) {
        let event = tokio::time::timeout_at(deadline, watch.next()).await.unwrap();
        if let FileEvent::Open(path) | FileEvent::Unsettled(path) | FileEvent::Settled(path) = &event {
            last.insert(path.clone(), event);
        }
    }
    last
}

#[tokio::test]
async fn a_file_is_settled_when_it_is_given_its_name() {
    let (directory, mut watch) = watched();
    let path = directory.path().join("a.yaml");
    let mut next = async || tokio::time::timeout(Duration::from_secs(10), watch.next()).await.unwrap();
    let mut file = fs::File::create(&path).unwrap();
    assert_eq!(next().await, FileEvent::Unsettled(path.clone()));
    file.write_all(b"a").unwrap();
    assert_eq!(next().await, FileEvent::Open(path.clone()));
    drop(file);
    assert_eq!(next().await, FileEvent::Unsettled(path.clone()));
    let renamed = directory.path().join("b.yaml");
    fs::rename(&path, &renamed).unwrap();
    let last = last_events(&mut watch, &renamed).await;
    assert_eq!(last[&path], FileEvent::Unsettled(path.clone()));
}

#[tokio::test]
async fn reading_is_no_event() {
    let (directory, mut watch) = watched();
    let (read, mark) = (directory.path().join("read"), directory.path().join("mark"));
    put(&read);
    last_events(&mut watch, &read).await;
    fs::read(&read).unwrap();
    fs::read_dir(directory.path()).unwrap().count();
    put(&mark);
    let last = last_events(&mut watch, &mark).await;
    assert_eq!(last.keys().filter(|path| path.extension().is_none()).collect::<Vec<_>>(), [&mark]);
}

#[tokio::test]
async fn a_file_that_is_gone_may_come_back() {
    let (directory, mut watch) = watched();
    let (old, new) = (directory.path().join("old"), directory.path().join("new"));
    fs::write(&old, "").unwrap();
    fs::rename(&old, &new).unwrap();
    let last = last_events(&mut watch, &new).await;
    assert_eq!(last[&old], FileEvent::Unsettled(old.clone()));
    fs::remove_file(&new).unwrap();
    put(&old);
    let last = last_events(&mut watch, &old).await;
    assert_eq!(last[&new], FileEvent::Unsettled(new.clone()));
}

#[tokio::test]
async fn directories_are_added_and_left() {
    let (directory, mut watch) = watched();
    let other = tempfile::tempdir().unwrap();
    let both = || BTreeSet::from([directory.path().to_owned(), other.path().to_owned()]);
    assert!(watch.directories(both()));
    assert!(!watch.directories(both()));
    let missing = directory.path().join("missing");
    assert!(!watch.directories(BTreeSet::from([other.path().to_owned(), missing])));
    fs::write(directory.path().join("unseen"), "").unwrap();
    let seen = other.path().join("seen");
    put(&seen);
    let last = last_events(&mut watch, &seen).await;
    assert!(last.keys().all(|path| path.starts_with(other.path())), "{last:?}");
    assert!(watch.directories(both()));
}
