use std::ffi::OsString;
use std::path::Path;
use std::process::Command as Process;

use super::*;
use crate::cli::{Command, parse};

const MANIFESTS: &str = "\
kind: Service
apiVersion: v1
metadata: {name: shop, namespace: demo}
spec: {clusterIP: 127.96.0.7, ports: [{name: http, port: 80}]}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: shop, namespace: demo}
spec:
  rules:
    - host: shop.example.com
      http:
        paths:
          - {path: /, pathType: Prefix, backend: {service: {name: shop, port: {name: http}}}}
          - {path: /gone, pathType: Prefix, backend: {service: {name: gone, port: {name: http}}}}
";

fn config(directory: &Path, flags: &str) -> RenderConfig {
    let line = format!(
        "feed-ingress render --manifests={0} --nginx-workdir={0}/workdir {flags}",
        directory.display()
    );
    match parse(line.split_whitespace().map(OsString::from), |_| None) {
        Ok(Command::Render(config)) => *config,
        other => panic!("{other:?}"),
    }
}

/// The configuration and the problems that are printed.
fn rendered(directory: &Path, flags: &str) -> Result<(String, String), RenderError> {
    std::fs::write(directory.join("shop.yaml"), MANIFESTS).unwrap();
    let (mut out, mut problems) = (Vec::new(), Vec::new());
    render(&config(directory, flags), NginxFacts::default(), &mut out, &mut problems)?;
    Ok((String::from_utf8(out).unwrap(), String::from_utf8(problems).unwrap()))
}

#[test]
fn nginx_accepts_what_is_printed() {
    let directory = tempfile::tempdir().unwrap();
    let (text, problems) = rendered(directory.path(), "--ingress-port=8080").unwrap();
    assert!(text.starts_with("# feed generation=1 routes=2\n"), "{text}");
    assert!(text.contains("shop.example.com;"), "{text}");
    assert!(text.contains("listen 8080"), "{text}");
    assert!(problems.contains("error[ServiceNotFound]"), "{problems}");

    for made_by_feed in ["temp", "requests"] {
        std::fs::create_dir_all(directory.path().join("workdir").join(made_by_feed)).unwrap();
    }
    let file = directory.path().join("nginx.conf");
    std::fs::write(&file, text).unwrap();
    let tested = Process::new("nginx").arg("-t").arg("-c").arg(&file).output().unwrap();
    assert!(tested.status.success(), "{}", String::from_utf8_lossy(&tested.stderr));
}

#[test]
fn a_template_of_ones_own_is_used_or_named() {
    let directory = tempfile::tempdir().unwrap();
    let template = directory.path().join("main.j2");
    let flag = format!("--nginx-template={}", template.display());
    let error = rendered(directory.path(), &flag).unwrap_err().to_string();
    assert!(
        error.starts_with(&format!("cannot read the nginx template {}: ", template.display())),
        "{error}"
    );

    std::fs::write(&template, "# mine {{ generation }}\n{{ upstreams }}{{ servers }}\n").unwrap();
    let (text, _) = rendered(directory.path(), &flag).unwrap();
    assert!(text.starts_with("# mine 1\n") && text.contains("shop.example.com;"), "{text}");

    std::fs::write(&template, "{{ nothing }}").unwrap();
    let error = rendered(directory.path(), &flag).unwrap_err().to_string();
    assert!(error.starts_with("the nginx template "), "{error}");
}
