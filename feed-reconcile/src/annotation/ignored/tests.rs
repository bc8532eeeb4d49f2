use super::*;
use crate::diagnostic::Severity;
use crate::key::{ObjectKey, ObjectName};

/// The diagnostics of these annotations, one line each.
fn ignored(annotations: &[(&str, &str)]) -> String {
    let map = annotations.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    let mut report = Report::new(ObjectKey::ingress(&ObjectName::default()));
    report_ignored(&map, &mut report);
    let line = |it: crate::diagnostic::Diagnostic| {
        assert_eq!(it.code.severity(), Severity::Warning);
        format!("{} {}: {} {}", it.code, it.field, it.message, it.help.unwrap())
    };
    report.into_diagnostics().into_iter().map(line).collect::<Vec<_>>().join("\n")
}

#[test]
fn what_is_known_is_not_reported() {
    let known: Vec<(&str, &str)> = KNOWN.iter().map(|key| (*key, "x")).collect();
    assert_eq!(ignored(&known), "");
}

#[test]
fn what_is_meant_for_other_tools_is_not_reported() {
    let others = [
        "cert-manager.io/cluster-issuer",
        "acme.cert-manager.io/http01-edit-in-place",
        "external-dns.alpha.kubernetes.io/hostname",
        "meta.helm.sh/release-name",
        "kubernetes.io/ingress.class",
        "kubernetes.io/tls-acme",
        "ingress.kubernetes.io/backends",
        "alb.ingress.kubernetes.io/scheme",
        "team.sky.uk/owner",
        "sky.uk",
        "sky.uk.example.com/allow",
        "nginx.ingress.kubernetes.io",
        "allow",
    ];
    assert_eq!(ignored(&others.map(|key| (key, "x"))), "");
    // cert-manager's own Ingresses carry this, so that its challenges are answered.
    assert_eq!(ignored(&[("nginx.ingress.kubernetes.io/whitelist-source-range", "0.0.0.0/0,::/0")]), "");
}

#[test]
fn a_misspelt_annotation_is_reported_with_the_nearest() {
    let keys = [
        "sky.uk/allowed",
        "sky.uk/Allow",
        "SKY.UK/allow",
        "sky.uk/strip_path",
        "sky.uk/backend-timeout",
        "sky.uk/frontend-schema",
        "sky.uk/colour",
        "sky.uk/",
        "sky.uk/line\nbreak",
    ];
    insta::assert_snapshot!(ignored(&keys.map(|key| (key, "x"))), @r#"
UnknownAnnotation metadata.annotations[SKY.UK/allow]: There is no annotation "SKY.UK/allow", so it does nothing. Write `sky.uk/allow` if that is meant, else remove it.
UnknownAnnotation metadata.annotations[sky.uk/]: There is no annotation "sky.uk/", so it does nothing. Remove it, or write one that the README lists.
UnknownAnnotation metadata.annotations[sky.uk/Allow]: There is no annotation "sky.uk/Allow", so it does nothing. Write `sky.uk/allow` if that is meant, else remove it.
UnknownAnnotation metadata.annotations[sky.uk/allowed]: There is no annotation "sky.uk/allowed", so it does nothing. Write `sky.uk/allow` if that is meant, else remove it.
UnknownAnnotation metadata.annotations[sky.uk/backend-timeout]: There is no annotation "sky.uk/backend-timeout", so it does nothing. Write `sky.uk/backend-timeout-seconds` if that is meant, else remove it.
UnknownAnnotation metadata.annotations[sky.uk/colour]: There is no annotation "sky.uk/colour", so it does nothing. Remove it, or write one that the README lists.
UnknownAnnotation metadata.annotations[sky.uk/frontend-schema]: There is no annotation "sky.uk/frontend-schema", so it does nothing. Write `sky.uk/frontend-scheme` if that is meant, else remove it.
UnknownAnnotation metadata.annotations: There is no annotation "sky.uk/line\nbreak", so it does nothing. Remove it, or write one that the README lists.
UnknownAnnotation metadata.annotations[sky.uk/strip_path]: There is no annotation "sky.uk/strip_path", so it does nothing. Write `sky.uk/strip-path` if that is meant, else remove it.
"#);
}

#[test]
fn an_annotation_of_another_controller_is_reported_with_what_does_the_same() {
    let names = [
        "whitelist-source-range",
        "allowlist-source-range",
        "denylist-source-range",
        "auth-url",
        "auth-tls-secret",
        "limit-rps",
        "proxy-read-timeout",
        "proxy-connect-timeout",
        "proxy-buffer-size",
        "proxy-buffers-number",
        "rewrite-target",
        "use-regex",
        "backend-protocol",
        "force-ssl-redirect",
        "default-backend",
        "server-alias",
        "proxy-body-size",
        "configuration-snippet",
    ];
    let mut keys: Vec<String> = names.iter().map(|name| format!("{INGRESS_NGINX}{name}")).collect();
    keys.extend(
        ["nginx.org/rewrites", "haproxy.org/allow-list", "traefik.ingress.kubernetes.io/router.middlewares"]
            .map(str::to_owned),
    );
    let annotations: Vec<(&str, &str)> = keys.iter().map(|key| (key.as_str(), "x")).collect();
    insta::assert_snapshot!(ignored(&annotations), @r#"
ForeignAnnotation metadata.annotations[haproxy.org/allow-list]: "haproxy.org/allow-list" is an annotation of HAProxy's Ingress controller, so nothing is restricted by it here. Write `sky.uk/allow`, which takes the same addresses and CIDRs.
ForeignAnnotation metadata.annotations[nginx.ingress.kubernetes.io/allowlist-source-range]: "nginx.ingress.kubernetes.io/allowlist-source-range" is an annotation of ingress-nginx, so nothing is restricted by it here. Write `sky.uk/allow`, which takes the same addresses and CIDRs.
ForeignAnnotation metadata.annotations[nginx.ingress.kubernetes.io/auth-tls-secret]: "nginx.ingress.kubernetes.io/auth-tls-secret" is an annotation of ingress-nginx, so nothing is restricted by it here. There is no authentication here: leave it to the backend, or restrict the clients with `sky.uk/allow`.
ForeignAnnotation metadata.annotations[nginx.ingress.kubernetes.io/auth-url]: "nginx.ingress.kubernetes.io/auth-url" is an annotation of ingress-nginx, so nothing is restricted by it here. There is no authentication here: leave it to the backend, or restrict the clients with `sky.uk/allow`.
ForeignAnnotation metadata.annotations[nginx.ingress.kubernetes.io/backend-protocol]: "nginx.ingress.kubernetes.io/backend-protocol" is an annotation of ingress-nginx, so it does nothing here. Set `appProtocol` of the Service's port: `https`, `grpc` or `kubernetes.io/h2c`.
ForeignAnnotation metadata.annotations[nginx.ingress.kubernetes.io/configuration-snippet]: "nginx.ingress.kubernetes.io/configuration-snippet" is an annotation of ingress-nginx, so it does nothing here. Remove it: the annotations that count here begin with `sky.uk/`; the README lists them.
ForeignAnnotation metadata.annotations[nginx.ingress.kubernetes.io/default-backend]: "nginx.ingress.kubernetes.io/default-backend" is an annotation of ingress-nginx, so it does nothing here. Write `spec.defaultBackend`.
ForeignAnnotation metadata.annotations[nginx.ingress.kubernetes.io/denylist-source-range]: "nginx.ingress.kubernetes.io/denylist-source-range" is an annotation of ingress-nginx, so nothing is restricted by it here. List the clients that are allowed in `sky.uk/allow`: there is no list of denied ones here.
ForeignAnnotation metadata.annotations[nginx.ingress.kubernetes.io/force-ssl-redirect]: "nginx.ingress.kubernetes.io/force-ssl-redirect" is an annotation of ingress-nginx, so it does nothing here. There is no redirect to HTTPS here: leave it to the load balancer or the backend.
ForeignAnnotation metadata.annotations[nginx.ingress.kubernetes.io/limit-rps]: "nginx.ingress.kubernetes.io/limit-rps" is an annotation of ingress-nginx, so nothing is restricted by it here. There is no limit of requests here; `sky.uk/backend-max-connections` limits connections to the backend.
ForeignAnnotation metadata.annotations[nginx.ingress.kubernetes.io/proxy-body-size]: "nginx.ingress.kubernetes.io/proxy-body-size" is an annotation of ingress-nginx, so it does nothing here. Remove it: this is always so here, or has no limit.
ForeignAnnotation metadata.annotations[nginx.ingress.kubernetes.io/proxy-buffer-size]: "nginx.ingress.kubernetes.io/proxy-buffer-size" is an annotation of ingress-nginx, so it does nothing here. Write `sky.uk/proxy-buffer-size-in-kb`.
ForeignAnnotation metadata.annotations[nginx.ingress.kubernetes.io/proxy-buffers-number]: "nginx.ingress.kubernetes.io/proxy-buffers-number" is an annotation of ingress-nginx, so it does nothing here. Write `sky.uk/proxy-buffer-blocks`.
ForeignAnnotation metadata.annotations[nginx.ingress.kubernetes.io/proxy-connect-timeout]: "nginx.ingress.kubernetes.io/proxy-connect-timeout" is an annotation of ingress-nginx, so it does nothing here. It is one for all Ingresses: the operator's flag `--nginx-backend-connect-timeout-seconds`.
ForeignAnnotation metadata.annotations[nginx.ingress.kubernetes.io/proxy-read-timeout]: "nginx.ingress.kubernetes.io/proxy-read-timeout" is an annotation of ingress-nginx, so it does nothing here. Write `sky.uk/backend-timeout-seconds`.
ForeignAnnotation metadata.annotations[nginx.ingress.kubernetes.io/rewrite-target]: "nginx.ingress.kubernetes.io/rewrite-target" is an annotation of ingress-nginx, so it does nothing here. `sky.uk/strip-path: "true"`, the default, strips the route's path; nothing here rewrites it otherwise.
ForeignAnnotation metadata.annotations[nginx.ingress.kubernetes.io/server-alias]: "nginx.ingress.kubernetes.io/server-alias" is an annotation of ingress-nginx, so it does nothing here. Add a rule with that host.
ForeignAnnotation metadata.annotations[nginx.ingress.kubernetes.io/use-regex]: "nginx.ingress.kubernetes.io/use-regex" is an annotation of ingress-nginx, so it does nothing here. Paths are literal here: write them out, with `pathType: Prefix` for what lies below.
ForeignAnnotation metadata.annotations[nginx.ingress.kubernetes.io/whitelist-source-range]: "nginx.ingress.kubernetes.io/whitelist-source-range" is an annotation of ingress-nginx, so nothing is restricted by it here. Write `sky.uk/allow`, which takes the same addresses and CIDRs.
ForeignAnnotation metadata.annotations[nginx.org/rewrites]: "nginx.org/rewrites" is an annotation of F5's NGINX Ingress Controller, so it does nothing here. `sky.uk/strip-path: "true"`, the default, strips the route's path; nothing here rewrites it otherwise.
ForeignAnnotation metadata.annotations[traefik.ingress.kubernetes.io/router.middlewares]: "traefik.ingress.kubernetes.io/router.middlewares" is an annotation of Traefik, so it does nothing here. Remove it: the annotations that count here begin with `sky.uk/`; the README lists them.
"#);
}
