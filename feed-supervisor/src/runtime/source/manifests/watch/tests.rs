use std::collections::HashMap;
use std::fs;
use std::time::Duration;

use super::*;

/// The directory, watched.
fn watched() -> (tempfile::TempDir, Watch) {
    let directory = tempfile::tempdir().unwrap();
    let mut watch = Watch::new();
    assert!(watch.directories(BTreeSet::from([directory.path().to_owned()])));
    (directory, watch)
}

/// What is told last of each file, once this one is settled.
async fn last_events(watch: &mut Watch, until_settled: &Path) -> HashMap<PathBuf, FileEvent> {
    let mut last = HashMap::new();
    let deadline = tokio::time::Instant::now() + Duration::from_secs(10);
    while !matches!(last.get(until_settled), Some(FileEvent::Settled(_))) {
        let event = tokio::time::timeout_at(deadline, watch.next()).await.unwrap();
        if let FileEvent::Unsettled(path) | FileEvent::Settled(path) = &event {
            last.insert(path.clone(), event);
        }
    }
    last
}

#[tokio::test]
async fn a_file_is_settled_when_it_is_closed() {
    let (directory, mut watch) = watched();
    let path = directory.path().join("a.yaml");
    let file = fs::File::create(&path).unwrap();
    let event = tokio::time::timeout(Duration::from_secs(10), watch.next()).await.unwrap();
    assert_eq!(event, FileEvent::Unsettled(path.clone()));
    drop(file);
    last_events(&mut watch, &path).await;
}

#[tokio::test]
async fn reading_is_no_event() {
    let (directory, mut watch) = watched();
    let (read, mark) = (directory.path().join("read"), directory.path().join("mark"));
    fs::write(&read, "").unwrap();
    last_events(&mut watch, &read).await;
    fs::read(&read).unwrap();
    fs::read_dir(directory.path()).unwrap().count();
    fs::write(&mark, "").unwrap();
    assert_eq!(last_events(&mut watch, &mark).await.keys().collect::<Vec<_>>(), [&mark]);
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
    fs::write(&old, "").unwrap();
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
    fs::write(&seen, "").unwrap();
    assert_eq!(last_events(&mut watch, &seen).await.len(), 1);
    assert!(watch.directories(both()));
}
