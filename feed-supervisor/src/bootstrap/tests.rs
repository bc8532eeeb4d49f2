use std::borrow::Cow;
use std::ffi::OsString;
use std::path::Path;
use std::process::Command as Process;

use super::*;
use crate::cli::{Command, parse};

/// The settings that the flags give, with the workdir in that directory.
fn config(directory: &Path, flags: &str) -> NginxConfig {
    let workdir = directory.join("workdir");
    let line = format!(
        "feed-ingress bootstrap --ingress-class=feed --ingress-port=8080 --nginx-workdir={} {flags}",
        workdir.display()
    );
    match parse(line.split_whitespace().map(OsString::from), |_| None) {
        Ok(Command::Bootstrap(config)) => config.nginx,
        other => panic!("{other:?}"),
    }
}

fn live(directory: &Path) -> String {
    std::fs::read_to_string(directory.join("workdir/nginx.conf")).unwrap()
}

fn confirm(config: &NginxConfig, generation: u64, text: &str) {
    let files = Files::new(config.workdir(), false);
    files.prepare().unwrap();
    let text = format!("# feed generation={generation} routes=1\n{text}");
    files.write(Generation(generation), std::iter::once(Cow::Owned(text)), std::iter::empty()).unwrap();
    files.keep(Generation(generation)).unwrap();
}

#[test]
fn nginx_accepts_what_is_written_and_only_the_status_port_is_served() {
    let directory = tempfile::tempdir().unwrap();
    let pid_file = directory.path().join("workdir/neighbour.pid");
    let config = config(directory.path(), &format!("--nginx-pid-file={}", pid_file.display()));
    for _ in 0..2 {
        assert_eq!(bootstrap(&config).unwrap(), FirstConfiguration::StatusPort);
        let text = live(directory.path());
        assert!(text.starts_with("# feed generation=0 routes=0\n"), "{text}");
        assert!(text.contains(&format!("pid {};", pid_file.display())), "{text}");
        assert!(listens_on(text.as_bytes(), 8081) && !listens_on(text.as_bytes(), 8080), "{text}");
    }
    let tested =
        Process::new("nginx").arg("-t").arg("-c").arg(directory.path().join("workdir/nginx.conf")).output();
    let tested = tested.unwrap();
    assert!(tested.status.success(), "{}", String::from_utf8_lossy(&tested.stderr));
}

#[test]
fn a_confirmed_configuration_is_put_back() {
    let directory = tempfile::tempdir().unwrap();
    let config = config(directory.path(), "");
    assert_eq!(bootstrap(&config).unwrap(), FirstConfiguration::StatusPort);
    confirm(&config, 7, "listen 8081 default_server;\n");
    assert_eq!(bootstrap(&config).unwrap(), FirstConfiguration::Confirmed(Generation(7)));
    assert!(live(directory.path()).starts_with("# feed generation=7 "));
}

#[test]
fn a_confirmed_configuration_with_another_status_port_is_not() {
    let directory = tempfile::tempdir().unwrap();
    let config = config(directory.path(), "");
    confirm(&config, 7, "listen 9999 default_server;\n");
    assert_eq!(bootstrap(&config).unwrap(), FirstConfiguration::StatusPort);
}

#[test]
fn a_workdir_that_cannot_be_used_is_a_sentence() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("workdir"), "a file").unwrap();
    let error = bootstrap(&config(directory.path(), "")).unwrap_err().to_string();
    assert!(error.starts_with("cannot write to nginx's workdir "), "{error}");
}
