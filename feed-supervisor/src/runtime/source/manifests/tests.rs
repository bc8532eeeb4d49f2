use std::fs;
use std::os::unix::fs::symlink;
use std::time::Duration;

use feed_reconcile::key::ObjectName;

use super::*;
use crate::runtime::source::SourceState;

/// A followed directory of manifests.
struct Followed {
    root: PathBuf,
    reader: SourceReader,
    _directory: tempfile::TempDir,
}

impl Followed {
    async fn start(prepare: impl FnOnce(&Path)) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path().join("manifests");
        fs::create_dir(&root).unwrap();
        prepare(&root);
        let (source, reader) = ManifestSource::open(root.clone()).await.unwrap();
        tokio::spawn(source.run());
        Self { root, reader, _directory: directory }
    }

    /// The next state in which the Ingresses have these hosts.
    async fn serves(&mut self, hosts: &[&str]) -> SourceState {
        let deadline = Instant::now() + Duration::from_secs(20);
        loop {
            let state = tokio::time::timeout_at(deadline, self.reader.changed()).await;
            let state = state.unwrap_or_else(|_| panic!("{hosts:?} are not served"));
            let found = state.snapshot.ingresses.iter().map(|(_, ingress)| {
                ingress.spec.clone().unwrap_or_default().rules.unwrap_or_default()[0]
                    .host
                    .clone()
                    .unwrap_or_default()
            });
            if found.collect::<Vec<_>>() == hosts {
                return state;
            }
        }
    }
}

fn ingress(name: &str, host: &str) -> String {
    format!(
        "apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: {{name: {name}}}\n\
         spec: {{rules: [{{host: {host}}}]}}\n"
    )
}

#[tokio::test]
async fn files_are_followed() {
    let mut followed =
        Followed::start(|root| fs::write(root.join("a.yaml"), ingress("a", "one")).unwrap()).await;
    let state = followed.serves(&["one"]).await;
    assert!(state.complete);
    assert_eq!(followed.reader.freshness().age(), Some(Duration::ZERO));

    fs::write(followed.root.join("a.yaml"), ingress("a", "two")).unwrap();
    followed.serves(&["two"]).await;
    fs::write(followed.root.join(".a.yaml.new"), ingress("a", "three")).unwrap();
    fs::rename(followed.root.join(".a.yaml.new"), followed.root.join("a.yaml")).unwrap();
    followed.serves(&["three"]).await;
    fs::remove_file(followed.root.join("a.yaml")).unwrap();
    followed.serves(&[]).await;
}

#[tokio::test]
async fn directories_that_come_later_are_followed_too() {
    let mut followed = Followed::start(|_| {}).await;
    fs::create_dir_all(followed.root.join("deep/down")).unwrap();
    fs::write(followed.root.join("deep/down/a.yaml"), ingress("a", "one")).unwrap();
    followed.serves(&["one"]).await;
    fs::write(followed.root.join("deep/down/a.yaml"), ingress("a", "two")).unwrap();
    followed.serves(&["two"]).await;
    fs::remove_dir_all(followed.root.join("deep")).unwrap();
    followed.serves(&[]).await;
}

#[tokio::test]
async fn a_config_map_is_swapped_whole() {
    let mut followed = Followed::start(|root| {
        fs::create_dir(root.join("..1")).unwrap();
        fs::write(root.join("..1/a.yaml"), ingress("a", "one")).unwrap();
        symlink("..1", root.join("..data")).unwrap();
        symlink("..data/a.yaml", root.join("a.yaml")).unwrap();
    })
    .await;
    followed.serves(&["one"]).await;
    for (generation, host) in [("..2", "two"), ("..3", "three")] {
        let root = &followed.root;
        fs::create_dir(root.join(generation)).unwrap();
        fs::write(root.join(generation).join("a.yaml"), ingress("a", host)).unwrap();
        symlink(generation, root.join("..data_tmp")).unwrap();
        fs::rename(root.join("..data_tmp"), root.join("..data")).unwrap();
        followed.serves(&[host]).await;
    }
}

#[tokio::test]
async fn a_file_that_is_never_closed_is_read_all_the_same() {
    let mut followed = Followed::start(|_| {}).await;
    let mut file = fs::File::create(followed.root.join("a.yaml")).unwrap();
    std::io::Write::write_all(&mut file, ingress("a", "one").as_bytes()).unwrap();
    followed.serves(&["one"]).await;
}

#[tokio::test]
async fn a_file_that_is_written_with_pauses_is_taken_whole() {
    let mut followed = Followed::start(|root| {
        fs::write(root.join("a.yaml"), ingress("a", "one")).unwrap();
        symlink("a.yaml", root.join("link.yml")).unwrap();
    })
    .await;
    followed.serves(&["one"]).await;
    let open = || fs::File::options().append(true).open(followed.root.join("a.yaml")).unwrap();
    let (one, two) = (ingress("a", "new"), format!("---\n{}", ingress("b", "newer")));
    fs::write(followed.root.join("a.yaml"), "").unwrap();
    for piece in [one.as_bytes(), two.as_bytes()] {
        for half in piece.chunks(piece.len().div_ceil(2)) {
            std::io::Write::write_all(&mut open(), half).unwrap();
            // Other changes are looked at meanwhile.
            let part = followed.root.join("other.part");
            fs::write(&part, ingress("c", "other")).unwrap();
            fs::rename(part, followed.root.join("other.yaml")).unwrap();
            let pause = Duration::from_millis(400);
            while let Ok(state) = tokio::time::timeout(pause, followed.reader.changed()).await {
                assert_eq!(host_of(&state, "a"), "one", "half of the file was taken");
            }
        }
    }
    followed.serves(&["new", "newer", "other"]).await;
}

#[tokio::test]
async fn a_file_in_a_new_directory_is_taken_whole() {
    let mut followed =
        Followed::start(|root| fs::write(root.join("a.yaml"), ingress("a", "one")).unwrap()).await;
    followed.serves(&["one"]).await;
    let directory = followed.root.join("new/er");
    fs::create_dir_all(&directory).unwrap();
    let (first, second) = (ingress("b", "half"), format!("---\n{}", ingress("c", "whole")));
    let mut file = fs::File::create(directory.join("b.yaml")).unwrap();
    std::io::Write::write_all(&mut file, first.as_bytes()).unwrap();
    let pause = Duration::from_millis(600);
    while let Ok(state) = tokio::time::timeout(pause, followed.reader.changed()).await {
        assert_eq!(state.snapshot.ingresses.len(), 1, "half of the file was taken");
    }
    std::io::Write::write_all(&mut file, second.as_bytes()).unwrap();
    drop(file);
    followed.serves(&["one", "half", "whole"]).await;
}

fn host_of(state: &SourceState, name: &str) -> String {
    let ingress = state.snapshot.ingresses.get(&ObjectName::new("default", name)).unwrap();
    ingress.spec.clone().unwrap().rules.unwrap()[0].host.clone().unwrap()
}

#[tokio::test]
async fn a_fifo_is_told_of_and_holds_nothing_up() {
    let mut followed = Followed::start(|root| {
        nix::unistd::mkfifo(&root.join("fifo.yaml"), nix::sys::stat::Mode::S_IRWXU).unwrap();
        fs::write(root.join("a.yaml"), ingress("a", "one")).unwrap();
    })
    .await;
    let state = followed.serves(&["one"]).await;
    let messages: Vec<&str> = state.diagnostics.iter().map(|it| it.message.as_str()).collect();
    assert_eq!(messages, ["It cannot be read: it is no regular file; nothing of it is used."]);

    nix::unistd::mkfifo(&followed.root.join("part"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    fs::rename(followed.root.join("part"), followed.root.join("a.yaml")).unwrap();
    let state = followed.serves(&["one"]).await;
    assert_eq!(state.diagnostics.len(), 2);
    fs::write(followed.root.join("part"), ingress("a", "two")).unwrap();
    fs::rename(followed.root.join("part"), followed.root.join("a.yaml")).unwrap();
    followed.serves(&["two"]).await;
}

#[tokio::test]
async fn what_breaks_is_told_and_the_last_good_version_stays() {
    let mut followed =
        Followed::start(|root| fs::write(root.join("a.yaml"), ingress("a", "one")).unwrap()).await;
    followed.serves(&["one"]).await;
    fs::write(followed.root.join("a.yaml"), "kind: [").unwrap();
    let state = followed.serves(&["one"]).await;
    assert_eq!(state.diagnostics.len(), 1);
    fs::write(followed.root.join("a.yaml"), ingress("a", "one")).unwrap();
    assert!(followed.serves(&["one"]).await.diagnostics.is_empty());
}

#[tokio::test]
async fn a_directory_that_cannot_be_read_is_one_sentence() {
    let directory = tempfile::tempdir().unwrap();
    let missing = directory.path().join("missing");
    let error = ManifestSource::open(missing.clone()).await.unwrap_err().to_string();
    let expected = format!(
        "cannot read the directory {} given by --manifests: No such file or directory (os error 2)",
        missing.display()
    );
    assert_eq!(error, expected);
}

#[tokio::test]
async fn a_file_is_no_directory() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let error = Loaded::read(file.path()).unwrap_err().to_string();
    assert!(error.ends_with("given by --manifests: Not a directory (os error 20)"), "{error}");
}
