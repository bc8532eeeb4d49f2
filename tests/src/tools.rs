//! Programs that the tests run and that may have to be fetched or built first.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

/// The programs of a control plane.
#[derive(Debug, Clone)]
pub(crate) struct ControlPlaneBinaries {
    pub(crate) etcd: PathBuf,
    pub(crate) kube_apiserver: PathBuf,
    pub(crate) kubectl: PathBuf,
}

/// kube-apiserver, etcd and kubectl from the folder that `KUBEBUILDER_ASSETS` names, from `PATH`, from the cache of an
/// earlier build, or built with Go: four minutes.
pub(crate) fn control_plane_binaries() -> Option<&'static ControlPlaneBinaries> {
    static FOUND: OnceLock<Option<ControlPlaneBinaries>> = OnceLock::new();
    FOUND
        .get_or_init(|| {
            let assets = std::env::var_os("KUBEBUILDER_ASSETS").map(PathBuf::from);
            let ready = assets.and_then(|folder| binaries(|name| is_file(folder.join(name))));
            let ready = ready.or_else(|| binaries(in_path));
            needed(ready.map_or_else(
                || {
                    let folder = run_script("control-plane/build")?;
                    binaries(|name| is_file(folder.join(name)))
                        .ok_or_else(|| "control plane: built, yet not there".to_owned())
                },
                Ok,
            ))
        })
        .as_ref()
}

/// The binary of an nginx of Debian's next release, which knows `keepalive_min_timeout`.
pub(crate) fn newer_nginx() -> Option<&'static Path> {
    static FOUND: OnceLock<Option<PathBuf>> = OnceLock::new();
    FOUND.get_or_init(|| needed(run_script("nginx/fetch"))).as_deref()
}

/// The nginx that the machine has.
pub(crate) fn system_nginx() -> Option<&'static Path> {
    static FOUND: OnceLock<Option<PathBuf>> = OnceLock::new();
    FOUND
        .get_or_init(|| {
            let found = in_path("nginx").or_else(|| is_file(PathBuf::from("/usr/sbin/nginx")));
            needed(
                found.ok_or_else(|| "nginx: none on this machine (apt-get install nginx-light)".to_owned()),
            )
        })
        .as_deref()
}

/// A Python that can `import crossplane`.
pub(crate) fn crossplane_python() -> Option<&'static Path> {
    static FOUND: OnceLock<Option<PathBuf>> = OnceLock::new();
    FOUND.get_or_init(|| needed(run_script("crossplane/install"))).as_deref()
}

/// `feed-ingress`: the file that `FEED_INGRESS_BINARY` names, or what Cargo builds beside the running test.
pub fn ingress_binary() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| binary("FEED_INGRESS_BINARY", "feed-supervisor", "feed-ingress"))
}

/// `feed-dns`: the file that `FEED_DNS_BINARY` names, or what Cargo builds beside the running test.
pub fn dns_binary() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| binary("FEED_DNS_BINARY", "feed-dns", "feed-dns"))
}

fn binary(variable: &str, package: &str, name: &str) -> PathBuf {
    if let Some(path) = std::env::var_os(variable) {
        return path.into();
    }
    // TARGET/PROFILE/deps/it-0123
    let test = std::env::current_exe().unwrap();
    let profile = test.ancestors().nth(2).unwrap();
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(["build", "--quiet", "--package", package, "--bin", name, "--target-dir"]);
    cargo.arg(profile.parent().unwrap()).current_dir(tests_folder());
    if profile.ends_with("release") {
        cargo.arg("--release");
    }
    assert!(cargo.status().unwrap().success(), "{name} does not build");
    profile.join(name)
}

/// A Python that has emulators of AWS.
pub(crate) fn aws_emulators() -> Option<&'static Path> {
    static FOUND: OnceLock<Option<PathBuf>> = OnceLock::new();
    FOUND.get_or_init(|| needed(run_script("aws/install"))).as_deref()
}

/// The folder of Prometheus's push gateway and promtool.
pub(crate) fn prometheus_folder() -> Option<&'static Path> {
    static FOUND: OnceLock<Option<PathBuf>> = OnceLock::new();
    FOUND.get_or_init(|| needed(run_script("prometheus/fetch"))).as_deref()
}

/// A Python that has a parser of OpenMetrics.
pub(crate) fn openmetrics_python() -> Option<&'static Path> {
    static FOUND: OnceLock<Option<PathBuf>> = OnceLock::new();
    FOUND.get_or_init(|| needed(run_script("openmetrics/install"))).as_deref()
}

/// A tool, or none, which is said once; in CI, where nothing may be left out unseen, its absence is a failure.
pub(crate) fn needed<T>(found: Result<T, String>) -> Option<T> {
    match found {
        Ok(tool) => Some(tool),
        Err(reason) if std::env::var("CI").is_ok_and(|ci| ci == "true") => panic!("{reason}"),
        Err(reason) => {
            // What is printed with a macro is swallowed by the test runner when the test passes.
            let line = format!("skipping the tests that need it: {reason}\n");
            std::io::stderr().write_all(line.as_bytes()).unwrap();
            None
        }
    }
}

/// Runs a script of this crate and returns the path that it prints.
fn run_script(script: &str) -> Result<PathBuf, String> {
    let output = Command::new(tests_folder().join(script))
        .stderr(Stdio::piped())
        .output()
        .map_err(|error| format!("{script}: {error}"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    if output.status.success() {
        Ok(PathBuf::from(String::from_utf8(output.stdout).unwrap().trim_end()))
    } else {
        Err(said.lines().last().unwrap_or(script).to_owned())
    }
}

fn tests_folder() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn binaries(find: impl Fn(&str) -> Option<PathBuf>) -> Option<ControlPlaneBinaries> {
    Some(ControlPlaneBinaries {
        etcd: find("etcd")?,
        kube_apiserver: find("kube-apiserver")?,
        kubectl: find("kubectl")?,
    })
}

fn in_path(name: &str) -> Option<PathBuf> {
    std::env::split_paths(&std::env::var_os("PATH")?).find_map(|folder| is_file(folder.join(name)))
}

fn is_file(path: PathBuf) -> Option<PathBuf> {
    path.is_file().then_some(path)
}
