use std::os::unix::fs::symlink;

use super::*;

/// The files and directories below the root, by their path from there.
fn found(root: &Path) -> (Vec<String>, Vec<String>) {
    let tree = walk(root);
    assert!(tree.unreadable.is_empty(), "{tree:?}");
    let below = |path: &PathBuf| path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
    (tree.files.keys().map(below).collect(), tree.directories.iter().map(below).collect())
}

fn write(path: PathBuf) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, "").unwrap();
}

#[test]
fn manifests_are_found_in_the_whole_tree() {
    let root = tempfile::tempdir().unwrap();
    for name in [
        "a.yaml",
        "b.yml",
        "c.json",
        "d.txt",
        "e",
        ".f.yaml",
        "sub/deep/g.yaml",
        ".git/h.yaml",
        "i.yaml/j.yaml",
    ] {
        write(root.path().join(name));
    }
    let (files, directories) = found(root.path());
    assert_eq!(files, ["a.yaml", "b.yml", "c.json", "i.yaml/j.yaml", "sub/deep/g.yaml"]);
    assert_eq!(directories, ["", "i.yaml", "sub", "sub/deep"]);
}

#[test]
fn a_mounted_config_map_is_found_through_its_links() {
    let root = tempfile::tempdir().unwrap();
    let root = fs::canonicalize(root.path()).unwrap();
    write(root.join("..2026_11_23/a.yaml"));
    symlink("..2026_11_23", root.join("..data")).unwrap();
    symlink("..data/a.yaml", root.join("a.yaml")).unwrap();
    let (files, directories) = found(&root);
    assert_eq!(files, ["a.yaml"]);
    assert_eq!(directories, ["", "..2026_11_23"]);
    fs::remove_dir_all(&root).unwrap();
}

#[test]
fn links_are_followed_but_not_in_circles_nor_into_nothing() {
    let root = tempfile::tempdir().unwrap();
    let elsewhere = tempfile::tempdir().unwrap();
    write(elsewhere.path().join("a.yaml"));
    symlink(elsewhere.path(), root.path().join("elsewhere")).unwrap();
    symlink(root.path(), root.path().join("circle")).unwrap();
    symlink("nowhere", root.path().join("nothing.yaml")).unwrap();
    assert_eq!(found(root.path()).0, ["elsewhere/a.yaml"]);
}

#[test]
fn a_root_that_cannot_be_read_is_reported() {
    let root = tempfile::tempdir().unwrap();
    let missing = root.path().join("missing");
    let tree = walk(&missing);
    assert_eq!(tree.unreadable.len(), 1);
    assert_eq!(tree.unreadable[0].0, missing);
    assert_eq!(tree.unreadable[0].1.kind(), io::ErrorKind::NotFound);
}

#[test]
fn only_a_settled_file_has_a_stamp() {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("a.yaml");
    write(path.clone());
    assert_eq!(walk(root.path()).files[&path].stamp, None);
    let settled = fs::metadata("/proc/self/exe").unwrap();
    assert!(Stamp::of(&settled).is_some());
}
