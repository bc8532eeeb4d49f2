//! The program as a shell sees it: what it prints where, and its exit code.

#![expect(clippy::unwrap_used, reason = "here a failed expectation is a failed test")]

use std::path::Path;
use std::process::{Command, Output, Stdio};

const SHOP: &str = "\
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: shop, namespace: demo}
spec:
  rules:
    - host: shop.example.com
      http:
        paths:
          - {path: /, pathType: Prefix, backend: {service: {name: shop, port: {number: 80}}}}
";

const SERVICE: &str = "\
apiVersion: v1
kind: Service
metadata: {name: shop, namespace: demo}
spec: {clusterIP: 127.96.0.7, ports: [{port: 80}]}
";

/// The program without any of the environment, so also without an nginx in its path.
fn feed_ingress(args: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_feed-ingress"));
    command.env_clear().args(args.split_whitespace()).stdin(Stdio::null());
    command
}

fn outcome(output: &Output) -> (Option<i32>, &str, &str) {
    let text = |bytes| std::str::from_utf8(bytes).unwrap();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

/// A directory with these files.
fn manifests(files: &[(&str, &str)]) -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    for (name, text) in files {
        std::fs::write(directory.path().join(name), text).unwrap();
    }
    directory
}

fn on(directory: &Path, command: &str) -> Command {
    let mut command = feed_ingress(command);
    command.arg("--manifests").arg(directory);
    command
}

#[test]
fn a_wrong_command_line_is_one_sentence_and_exit_2() {
    let workdir = tempfile::tempdir().unwrap();
    let unused = workdir.path().join("unused");
    for args in [
        "none --ingress-class=feed",
        "none --ingress-class=feed --ingress-port=http",
        "none --ingress-class=feed --ingress-port=80 --manifests=a --kubeconfig=b",
        "static --ingress-class=feed --ingress-port=80 --nginx-keepalive-second=75",
        "bootstrap --ingress-port=80",
        "render",
        "",
    ] {
        let output = feed_ingress(args).env("FEED_NGINX_WORKDIR", &unused).output().unwrap();
        let (code, stdout, stderr) = outcome(&output);
        assert_eq!((code, stdout), (Some(2), ""), "{args}: {stderr}");
        assert!(stderr.starts_with("feed-ingress: ") && stderr.lines().count() <= 3, "{args}: {stderr}");
        assert!(!unused.exists(), "{args} has made the workdir");
    }
}

#[test]
fn help_and_version_go_to_stdout() {
    for args in ["--help", "-h", "--version", "static --help"] {
        let output = feed_ingress(args).output().unwrap();
        let (code, stdout, stderr) = outcome(&output);
        assert_eq!((code, stderr), (Some(0), ""), "{args}");
        assert!(!stdout.is_empty() && !stdout.contains('\u{1b}'), "{args}: {stdout}");
    }
}

#[test]
fn the_exit_code_of_check_says_whether_all_is_well() {
    let good = manifests(&[("shop.yaml", SHOP), ("service.yaml", SERVICE)]);
    assert_eq!(outcome(&on(good.path(), "check").output().unwrap()), (Some(0), "", ""));

    let bad = manifests(&[("shop.yaml", SHOP)]);
    let output = on(bad.path(), "check").output().unwrap();
    let (code, stdout, stderr) = outcome(&output);
    assert_eq!((code, stderr), (Some(1), ""));
    assert!(stdout.contains("shop.yaml:9:67: error[ServiceNotFound]: "), "{stdout}");

    let output = on(bad.path(), "check --output=json").output().unwrap();
    let (code, stdout, _) = outcome(&output);
    let document: serde_json::Value = serde_json::from_str(stdout).unwrap();
    assert_eq!((code, &document["errors"]), (Some(1), &serde_json::json!(1)));

    let output = on(Path::new("/nowhere"), "check").output().unwrap();
    let (code, stdout, stderr) = outcome(&output);
    assert_eq!((code, stdout, stderr.lines().count()), (Some(2), "", 1));
}

/// An Ingress and a Service as they stand in a repository: an API server has assigned nothing yet.
const IN_GIT: &str = "\
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}, ports: [{name: http, port: 80, targetPort: 8080}]}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: web}
spec:
  rules:
  - host: web.example.com
    http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: web, port: {name: http}}}}]}
";

#[test]
fn check_takes_files_as_they_stand_in_a_repository() {
    let files = [
        ("kustomization.yaml", "resources: [manifests.yaml]\n"),
        ("Chart.yaml", "apiVersion: v2\nname: web\nversion: 1.0.0\n"),
        ("values.yaml", "image: {tag: latest}\n"),
        ("patch.json", "[{\"op\": \"remove\", \"path\": \"/spec\"}]"),
        ("manifests.yaml", IN_GIT),
    ];
    let directory = manifests(&files);
    for mode in ["service", "endpoints"] {
        let output = on(directory.path(), &format!("check --backend-mode={mode}")).output().unwrap();
        assert_eq!(outcome(&output), (Some(0), "", ""), "{mode}");
        let output = on(directory.path(), &format!("render --backend-mode={mode}")).output().unwrap();
        let (code, stdout, stderr) = outcome(&output);
        assert_eq!((code, stderr), (Some(0), ""), "{mode}");
        assert!(stdout.contains("server 192.0.2.1:80") && stdout.contains("proxy_pass"), "{stdout}");
    }
    for wrong in [
        IN_GIT.replace("port: {name: http}", "port: {name: https}"),
        IN_GIT.replace("service: {name: web", "service: {name: wbe"),
        IN_GIT.replace("selector: {app: web}", "type: ExternalName, externalName: a.example"),
        IN_GIT.replace("apiVersion: networking.k8s.io/v1\n", ""),
        format!("{IN_GIT}---\na: [\n"),
    ] {
        let directory = manifests(&[("manifests.yaml", &wrong)]);
        let output = on(directory.path(), "check").output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{wrong}");
    }
}

#[test]
fn what_does_nothing_is_a_warning_with_its_place_and_what_to_do() {
    let text = "\
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: web
  annotations:
    sky.uk/allowed: 10.0.0.0/8
    nginx.ingress.kubernetes.io/whitelist-source-range: 10.0.0.0/8
    cert-manager.io/cluster-issuer: letsencrypt
spec:
  rules:
  - hosts: [private.example.com]
    http: {paths: [{path: /foo/*, pathType: Prefix, backend: {service: {name: web, port: {number: 80}}}}]}
";
    let service = IN_GIT.split_once("---").unwrap().0;
    let directory = manifests(&[("a.yaml", text), ("service.yaml", service)]);
    let output = on(directory.path(), "check").output().unwrap();
    let (code, stdout, stderr) = outcome(&output);
    assert_eq!((code, stderr), (Some(0), ""), "{stdout}");
    for expected in [
        "a.yaml:6:21: warning[UnknownAnnotation]: There is no annotation \"sky.uk/allowed\", so it does nothing.\n",
        "Write `sky.uk/allow` if that is meant",
        "a.yaml:7:57: warning[ForeignAnnotation]: ",
        "Write `sky.uk/allow`, which takes the same addresses and CIDRs.",
        "a.yaml:11:12: warning[UnknownField]: There is no field \"hosts\" in spec.rules[0], so it is ignored.\n",
        "in: Ingress default/web, spec.rules[0].hosts\n",
        "Write `host` if that is meant. See `kubectl explain ingress.spec.rules`.",
        "a.yaml:12:27: warning[WildcardInPath]: ",
    ] {
        assert!(stdout.contains(expected), "{expected}: {stdout}");
    }
    assert_eq!(stdout.matches("warning[").count(), 4, "{stdout}");
}

#[test]
fn what_kubectl_reads_is_read() {
    let (service, ingress) = IN_GIT.split_once("---\n").unwrap();
    let json = |yaml: &str| serde_saphyr::from_str::<serde_json::Value>(yaml).unwrap().to_string();
    let two = format!("{}{}", json(ingress), json(service));
    for name in ["two.json", "two.yaml"] {
        let directory = manifests(&[(name, &two)]);
        assert_eq!(outcome(&on(directory.path(), "check").output().unwrap()), (Some(0), "", ""), "{name}");
    }
    let directory = manifests(&[("doubled.yaml", &IN_GIT.replace("name: web}", "name: old, name: web}"))]);
    let output = on(directory.path(), "check").output().unwrap();
    let (code, stdout, _) = outcome(&output);
    assert_eq!((code, stdout.matches("warning[DuplicateKey]").count()), (Some(0), 2), "{stdout}");
    let broken = manifests(&[("two.json", &format!("{}\n{{\"kind\": }}\n", json(service)))]);
    let output = on(broken.path(), "check").output().unwrap();
    let (code, stdout, _) = outcome(&output);
    assert_eq!(code, Some(1));
    assert!(stdout.contains("two.json:2:10: error[InvalidManifest]: "), "{stdout}");
    assert!(stdout.contains("; the file's other objects are used.\n"), "{stdout}");
}

#[test]
fn render_needs_no_nginx_and_prints_problems_elsewhere() {
    let directory = manifests(&[("shop.yaml", SHOP), ("service.yaml", SERVICE), ("broken.yaml", "a: [")]);
    let output = on(directory.path(), "render").output().unwrap();
    let (code, stdout, stderr) = outcome(&output);
    assert_eq!(code, Some(0), "{stderr}");
    assert!(stdout.starts_with("# feed generation=1 routes=1\n"), "{stdout}");
    assert!(stderr.contains("error[InvalidManifest]: "), "{stderr}");
}

#[test]
fn a_reader_who_leaves_hears_no_complaint() {
    let directory = manifests(&[("shop.yaml", SHOP)]);
    for (args, expected) in [("check", 1), ("render", 0)] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let mut command = on(directory.path(), args);
        let output =
            command.stdout(writer).stderr(Stdio::piped()).spawn().unwrap().wait_with_output().unwrap();
        let (code, _, stderr) = outcome(&output);
        assert_eq!(code, Some(expected), "{args}: {stderr}");
        assert!(!stderr.contains("feed-ingress: ") && !stderr.contains("panicked"), "{args}: {stderr}");
    }
}

#[test]
fn bootstrap_writes_a_first_configuration_and_says_so() {
    let directory = tempfile::tempdir().unwrap();
    let mut command = feed_ingress("bootstrap --ingress-class=feed --ingress-port=80 --internal-hostname=lb");
    let output = command.env("FEED_NGINX_WORKDIR", directory.path()).output().unwrap();
    let (code, stdout, stderr) = outcome(&output);
    assert_eq!((code, stdout), (Some(0), ""), "{stderr}");
    assert!(
        stderr.contains("nginx can start with a configuration that serves only the status port"),
        "{stderr}"
    );
    assert!(directory.path().join("nginx.conf").exists());
}
