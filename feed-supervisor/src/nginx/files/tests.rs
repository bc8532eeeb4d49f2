use std::fmt::Write as _;
use std::slice;

use feed_reconcile::certificate::Digest;
use feed_reconcile::nginx::certificate_file;

use super::*;

fn files() -> (tempfile::TempDir, Files) {
    let directory = tempfile::tempdir().unwrap();
    let files = Files::new(&directory.path().join("workdir"), false);
    files.prepare().unwrap();
    (directory, files)
}

fn write(files: &Files, generation: u64) {
    let parts = [format!("# feed generation={generation} routes=3\n"), "rest\n".into()];
    files.write(Generation(generation), parts.into_iter().map(Cow::Owned), std::iter::empty()).unwrap();
}

fn names(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).unwrap();
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn nothing_is_left_in_a_new_directory() {
    let (_directory, files) = files();
    let left = files.left().unwrap();
    assert!(left.confirmed.is_none());
    assert_eq!((left.named, left.last), (None, Generation(0)));
    assert_eq!(names(files.workdir()), ["generations", "requests", "temp"]);
}

#[test]
fn what_is_named_and_kept_is_found_again() {
    let (_directory, files) = files();
    write(&files, 7);
    files.name(Generation(7)).unwrap();
    files.keep(Generation(7)).unwrap();
    write(&files, 8);
    files.name(Generation(8)).unwrap();

    let left = files.left().unwrap();
    let (header, bytes) = left.confirmed.unwrap();
    assert_eq!(header, Header { generation: Generation(7), routes: 3 });
    assert_eq!(bytes, b"# feed generation=7 routes=3\nrest\n");
    assert_eq!((left.named, left.last), (Some(Generation(8)), Generation(8)));
    assert_eq!(fs::read(files.live()).unwrap(), b"# feed generation=8 routes=3\nrest\n");
    assert_eq!(fs::read_link(files.live()).unwrap(), Path::new("generations/8.conf"));
}

#[test]
fn only_what_is_needed_is_kept() {
    let (_directory, files) = files();
    write(&files, 1);
    files.name(Generation(1)).unwrap();
    files.keep(Generation(1)).unwrap();
    for refused in 2..5 {
        write(&files, refused);
        files.name(Generation(refused)).unwrap();
        files.name(Generation(1)).unwrap();
    }
    let generations = files.workdir().join("generations");
    assert_eq!(names(&generations), ["1.conf", "4.conf"], "the last refused one can be looked at");
    write(&files, 5);
    files.name(Generation(5)).unwrap();
    files.keep(Generation(5)).unwrap();
    assert_eq!(names(&generations), ["5.conf"]);
    assert_eq!(names(files.workdir()), ["confirmed", "generations", "nginx.conf", "requests", "temp"]);
}

#[test]
fn a_confirmed_file_that_is_gone_or_foreign_counts_as_none() {
    let (_directory, files) = files();
    write(&files, 3);
    files.keep(Generation(3)).unwrap();
    fs::write(files.generation(Generation(3)), "events {}\n").unwrap();
    assert!(files.left().unwrap().confirmed.is_none());
    fs::remove_file(files.generation(Generation(3))).unwrap();
    let left = files.left().unwrap();
    assert!(left.confirmed.is_none());
    assert_eq!(left.last, Generation(3), "its number is not used again");
}

#[test]
fn an_interrupted_swap_is_made_good() {
    let (_directory, files) = files();
    write(&files, 1);
    symlink("generations/0.conf", files.workdir().join("nginx.conf.new")).unwrap();
    fs::write(files.workdir().join("generations/2.conf.new"), "half").unwrap();
    files.name(Generation(1)).unwrap();
    write(&files, 2);
    assert_eq!(files.left().unwrap().named, Some(Generation(1)));
}

#[test]
fn drained_comes_and_goes() {
    let (_directory, files) = files();
    files.clear_drained().unwrap();
    files.mark_drained().unwrap();
    assert!(files.workdir().join("drained").exists());
    files.clear_drained().unwrap();
    assert!(!files.workdir().join("drained").exists());
}

#[test]
fn a_workdir_that_cannot_be_used_is_a_sentence() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("file");
    fs::write(&file, "").unwrap();
    let error = Files::new(&file.join("workdir"), false).prepare().unwrap_err().to_string();
    assert!(error.starts_with("cannot write to nginx's workdir /"), "{error}");
    assert!(error.ends_with("choose another one with --nginx-workdir"), "{error}");

    let long = directory.path().join("x".repeat(100));
    let error = Files::new(&long, false).prepare().unwrap_err().to_string();
    assert!(error.contains("too long: a socket in it can have 107 bytes at most"), "{error}");
    assert!(!long.exists());
}

#[test]
fn nginx_of_another_user_may_write_temporary_files() {
    let directory = tempfile::tempdir().unwrap();
    for (shared, mode) in [(false, 0o755), (true, 0o1777)] {
        let files = Files::new(&directory.path().join(format!("{shared}")), shared);
        files.prepare().unwrap();
        let temp = fs::metadata(files.workdir().join("temp")).unwrap().permissions().mode();
        assert_eq!(temp & 0o7777 & mode, mode & temp & 0o7777);
        assert_eq!(temp & 0o1000 != 0, shared);
        let workdir = fs::metadata(files.workdir()).unwrap().permissions().mode();
        assert_eq!(workdir & 0o777, 0o755, "workers connect to the socket in it");
    }
}

#[test]
fn ports_are_found_in_a_configuration() {
    let file = b"http {\n  server {\n    listen 8081 default_server;\n    listen [::]:8080;\n  # listen 1;\n listen 127.0.0.1:82;";
    for (port, listens) in [(8081, true), (8080, true), (82, true), (1, false), (80, false), (808, false)] {
        assert_eq!(listens_on(file, port), listens, "{port}");
    }
}

#[test]
fn a_second_process_is_kept_away() {
    let (_directory, files) = files();
    let lock = files.lock().unwrap();
    let error = files.lock().unwrap_err().to_string();
    assert!(error.starts_with("another feed-ingress uses nginx's workdir /"), "{error}");
    drop(lock);
    files.lock().unwrap();
}

/// A pair of which nobody knows what it is.
fn pair(byte: u8) -> KeyPair {
    KeyPair::new(Digest([byte; 32]), vec![byte; 10])
}

/// Writes a configuration that names these certificates.
fn write_with(files: &Files, generation: u64, pairs: &[KeyPair]) -> Vec<u8> {
    let mut text = format!("# feed generation={generation} routes=3\n");
    for pair in pairs {
        let path = files.workdir().join(certificate_file(pair.digest()));
        write!(text, "  ssl_certificate {0};\n  ssl_certificate_key {0};\n", path.display()).unwrap();
    }
    files.write(Generation(generation), [Cow::Borrowed(text.as_str())].into_iter(), pairs.iter()).unwrap();
    text.into_bytes()
}

#[test]
fn keys_are_for_their_owner_alone_and_stay_while_they_are_named() {
    let (_directory, files) = files();
    let directory = files.workdir().join("certificates");
    let [one, two, three] = [1, 2, 3].map(pair);
    let file_of = |pair: &KeyPair| format!("{}.pem", pair.digest());
    let listed = |pairs: &[&KeyPair]| {
        assert_eq!(names(&directory), pairs.iter().map(|pair| file_of(pair)).collect::<Vec<_>>());
    };
    let first = write_with(&files, 1, &[one.clone(), two.clone()]);
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o7777;
    assert_eq!(mode(&directory), 0o700);
    assert_eq!(mode(&directory.join(file_of(&one))), 0o600);
    assert_eq!(fs::read(directory.join(file_of(&two))).unwrap(), two.pem());
    assert!(files.has_certificates_of(&first));
    files.name(Generation(1)).unwrap();
    files.keep(Generation(1)).unwrap();

    // One that is tried and refused leaves what the confirmed one needs, and is cleaned up by the next.
    write_with(&files, 2, slice::from_ref(&three));
    listed(&[&one, &two, &three]);
    write_with(&files, 3, slice::from_ref(&two));
    listed(&[&one, &two]);
    files.name(Generation(3)).unwrap();
    files.keep(Generation(3)).unwrap();
    listed(&[&two]);
    assert!(!files.has_certificates_of(&first));

    // What a crash has left is removed, and a file that was cut off is written again.
    fs::write(directory.join("left.pem.new"), "half").unwrap();
    fs::write(directory.join(file_of(&two)), "half").unwrap();
    fs::set_permissions(&directory, Permissions::from_mode(0o755)).unwrap();
    write_with(&files, 4, slice::from_ref(&two));
    listed(&[&two]);
    assert_eq!(fs::read(directory.join(file_of(&two))).unwrap(), two.pem());
    assert_eq!(mode(&directory), 0o700);
    write_with(&files, 5, &[]);
    files.name(Generation(5)).unwrap();
    files.keep(Generation(5)).unwrap();
    listed(&[]);
}

#[test]
fn many_keys_are_written_too() {
    let (_directory, files) = files();
    let pairs: Vec<_> = (0..100).map(pair).collect();
    write_with(&files, 1, &pairs);
    for pair in &pairs {
        assert_eq!(fs::read(files.workdir().join(certificate_file(pair.digest()))).unwrap(), pair.pem());
    }
    assert_eq!(names(&files.workdir().join("certificates")).len(), pairs.len());
}
