use std::fmt::Write;
use std::fs;

use super::*;

/// A directory of manifests that is looked at again and again.
struct Directory {
    root: tempfile::TempDir,
    files: Files,
    said: Said,
}

impl Directory {
    fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        let files = Files::new(root.path().to_owned());
        Self { root, files, said: Said::default() }
    }

    fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        let path = self.root.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    fn remove(&self, name: &str) {
        fs::remove_file(self.root.path().join(name)).unwrap();
    }

    fn look(&mut self) -> &Said {
        self.look_but_at(&[])
    }

    fn look_but_at(&mut self, unsettled: &[&str]) -> &Said {
        let unsettled = unsettled.iter().map(|name| self.root.path().join(name)).collect();
        self.files.look(&unsettled, None);
        self.said = self.files.said(&self.said.snapshot);
        &self.said
    }

    /// The hosts of the Ingresses, and what is wrong.
    fn summary(&mut self) -> String {
        let said = self.look();
        let mut summary = String::new();
        for (name, ingress) in said.snapshot.ingresses.iter() {
            let rules = ingress.spec.as_ref().and_then(|spec| spec.rules.as_deref()).unwrap_or_default();
            let hosts: Vec<&str> = rules.iter().filter_map(|rule| rule.host.as_deref()).collect();
            writeln!(summary, "{name}: {}", hosts.join(" ")).unwrap();
        }
        for diagnostic in &said.diagnostics {
            let Diagnostic { object, code, message, help, related, .. } = diagnostic;
            let Position { line, column } = said.positions[diagnostic];
            let help = help.as_deref().unwrap_or_default();
            let related = related.as_ref().map(|related| format!(" ({related})")).unwrap_or_default();
            writeln!(summary, "{object} {code} at {line}:{column}: {message} {help}{related}").unwrap();
        }
        summary
    }
}

fn ingress(name: &str, host: &str) -> String {
    format!(
        "apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: {{name: {name}}}\n\
         spec: {{rules: [{{host: '{host}'}}]}}\n---\n"
    )
}

#[test]
fn files_come_change_and_go() {
    let mut directory = Directory::new();
    assert_eq!(directory.summary(), "");
    directory.write("a.yaml", ingress("a", "1"));
    directory.write("sub/b.yaml", ingress("b", "1") + &ingress("c", "1"));
    assert_eq!(directory.summary(), "default/a: 1\ndefault/b: 1\ndefault/c: 1\n");
    directory.write("sub/b.yaml", ingress("c", "2"));
    assert_eq!(directory.summary(), "default/a: 1\ndefault/c: 2\n");
    directory.remove("a.yaml");
    assert_eq!(directory.summary(), "default/c: 2\n");
}

#[test]
fn a_file_that_breaks_keeps_its_last_good_version() {
    let mut directory = Directory::new();
    directory.write("a.yaml", ingress("a", "1") + &ingress("b", "1"));
    directory.write("c.yaml", ingress("c", "1"));
    directory.look();
    directory.write("a.yaml", ingress("a", "2") + "kind: [\n");
    directory.write("c.yaml", ingress("c", "2"));
    insta::assert_snapshot!(directory.summary(), @"
default/a: 1
default/b: 1
default/c: 2
Manifest a.yaml InvalidManifest at 6:7: Line 6, column 7: This is not YAML: unclosed bracket '['; the file's last good version is used. Mend the file there, or a little before.
");
    directory.write("a.yaml", b"kind: Ingress\n# \xff");
    insta::assert_snapshot!(directory.summary(), @r"
        default/a: 1
        default/b: 1
        default/c: 2
        Manifest a.yaml InvalidManifest at 2:3: Line 2, column 3: This is not UTF-8; the file's last good version is used. Save the file as UTF-8.
        ");
    directory.write("a.yaml", ingress("a", "3"));
    assert_eq!(directory.summary(), "default/a: 3\ndefault/c: 2\n");
}

#[test]
fn a_file_that_was_never_good_is_used_as_far_as_it_goes() {
    let mut directory = Directory::new();
    directory.write("a.yaml", ingress("a", "1") + "kind: [\n");
    insta::assert_snapshot!(directory.summary(), @"
default/a: 1
Manifest a.yaml InvalidManifest at 6:7: Line 6, column 7: This is not YAML: unclosed bracket '['; the file's other objects are used. Mend the file there, or a little before.
");
    directory.write("a.yaml", ingress("a", "2") + "kind: [\n");
    assert!(directory.summary().starts_with("default/a: 2\n"));
}

#[test]
fn an_object_that_cannot_be_used_holds_nothing_back() {
    let mut directory = Directory::new();
    let old = "apiVersion: extensions/v1beta1\nkind: Ingress\nmetadata: {name: old}\n";
    directory.write("a.yaml", ingress("a", "1"));
    directory.look();
    directory.write("a.yaml", ingress("a", "2") + old);
    insta::assert_snapshot!(directory.summary(), @r"
        default/a: 2
        Manifest a.yaml InvalidManifest at 6:13: Line 6, column 13: extensions/v1beta1 is no version of Ingress that Kubernetes still serves; it is left out. Use `networking.k8s.io/v1`, or `discovery.k8s.io/v1` for an EndpointSlice.
        ");
}

#[test]
fn of_two_the_first_is_used() {
    let mut directory = Directory::new();
    directory.write("a.yaml", ingress("x", "a"));
    directory.write("b.yaml", ingress("y", "b") + &ingress("x", "b") + &ingress("y", "c"));
    insta::assert_snapshot!(directory.summary(), @r"
        default/x: a
        default/y: b
        Manifest b.yaml DuplicateObject at 6:1: Ingress default/x is in a.yaml too, and that one is used. Remove one of the two, or give it another name. (Ingress default/x)
        Manifest b.yaml DuplicateObject at 11:1: Ingress default/y is above it in this file too, and that one is used. Remove one of the two, or give it another name. (Ingress default/y)
        ");
    directory.remove("a.yaml");
    assert!(directory.summary().starts_with("default/x: b\ndefault/y: b\n"));
}

#[test]
fn what_did_not_change_stays_the_very_same() {
    let mut directory = Directory::new();
    directory.write("a.yaml", ingress("a", "1") + &ingress("b", "1"));
    let service = "apiVersion: v1\nkind: Service\nmetadata: {name: s}\n";
    directory.write("s.yaml", service);
    let first = directory.look().snapshot.clone();
    directory.write("s.yaml", format!("# A comment.\n{service}"));
    directory.write("a.yaml", ingress("a", "2") + "# Another.\n" + &ingress("b", "1"));
    let second = directory.look().snapshot.clone();
    assert_eq!(first.ingresses.changed(&second.ingresses), [ObjectName::new("default", "a")]);
    assert!(first.services.changed(&second.services).is_empty());
}

#[test]
fn a_file_that_is_being_written_or_replaced_is_left_alone() {
    let mut directory = Directory::new();
    directory.write("a.yaml", ingress("a", "1"));
    directory.look();
    directory.write("a.yaml", "");
    directory.write("b.yaml", ingress("b", "1"));
    assert_eq!(directory.look_but_at(&["a.yaml"]).snapshot.ingresses.len(), 2);
    assert_eq!(directory.look().snapshot.ingresses.len(), 1);
    directory.remove("b.yaml");
    assert_eq!(directory.look_but_at(&["b.yaml"]).snapshot.ingresses.len(), 1);
    assert_eq!(directory.look().snapshot.ingresses.len(), 0);
}

#[test]
fn a_root_that_vanishes_takes_nothing_with_it() {
    let mut directory = Directory::new();
    directory.write("a.yaml", ingress("a", "1"));
    directory.look();
    let elsewhere = tempfile::tempdir().unwrap();
    let moved = elsewhere.path().join("moved");
    fs::rename(directory.root.path(), &moved).unwrap();
    insta::assert_snapshot!(directory.summary(), @"
default/a: 1
Manifest . InvalidManifest at 1:1: It cannot be read: No such file or directory (os error 2); what was read of it before is used. Put a file there that the user whom this program runs as may read.
");
    fs::rename(&moved, directory.root.path()).unwrap();
    assert_eq!(directory.summary(), "default/a: 1\n");
}

#[test]
fn much_is_read_by_many_and_stays_in_order() {
    let numbers: Vec<usize> = (0..1001).collect();
    assert_eq!(on_all_processors(&numbers, |number| number * 2), (0..2002).step_by(2).collect::<Vec<_>>());
    assert_eq!(on_all_processors(&numbers[..3], |number| number + 1), [1, 2, 3]);
    assert!(on_all_processors(&numbers[..0], |number| number + 1).is_empty());

    let mut directory = Directory::new();
    let all: String = (0..200).map(|number| ingress(&format!("a{number:03}"), "1")).collect();
    directory.write("a.yaml", &all);
    assert_eq!(directory.look().snapshot.ingresses.len(), 200);
    directory.write("a.yaml", all.replace("a007", "b007"));
    assert_eq!(directory.look().snapshot.ingresses.len(), 200);
}
