//! Traces of requests by nginx's modules. Debian has neither of them: what is said to them is read by an independent parser
//! of nginx's configuration and compared with what their documentation asks for.
//!
//! <https://nginx.org/en/docs/ngx_otel_module.html>,
//! <https://github.com/opentracing-contrib/nginx-opentracing/blob/master/doc/Reference.md>

use std::fs;

use feed_tests::{Crossplane, Directive, NginxBinary};

use crate::world::{World, manifest, route};

/// The directives of the configuration that is printed for an Ingress, with these flags.
async fn rendered(flags: &[&str]) -> Option<Vec<Directive>> {
    let (nginx, mut crossplane) = (NginxBinary::newer()?, Crossplane::start()?);
    let world = World::start().await;
    let objects = [world.services(), vec![route("a", "test", "a.test", "a")]].concat();
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("all.yaml"), manifest(&objects)).unwrap();
    let mut command = std::process::Command::new(feed_tests::ingress_binary());
    command.arg("render").arg("--manifests").arg(folder.path()).arg("--nginx-binary").arg(&nginx.path);
    let output = command.args(flags).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Some(crossplane.parse(&String::from_utf8(output.stdout).unwrap()).unwrap())
}

/// Every directive whose name begins so, with its context, in order.
fn of_module(directives: &[Directive], prefix: &str, context: &str) -> Vec<String> {
    let mut found = Vec::new();
    for directive in directives {
        let name = &directive.directive;
        if name.starts_with(prefix) {
            found.push(format!("{context}: {name} {}", directive.args.join(" ")).trim_end().to_owned());
        }
        let inner = match directive.args.first() {
            // The two servers are told apart by their ports.
            _ if name == "server" => {
                directive.block.iter().flatten().find(|inner| inner.directive == "listen")
            }
            _ => None,
        };
        let inner = inner.map_or_else(|| name.clone(), |listen| format!("server {}", listen.args[0]));
        found.extend(of_module(directive.block.as_deref().unwrap_or_default(), prefix, &inner));
    }
    found
}

/// A module must be loaded before the first block.
fn is_loaded(directives: &[Directive], module: &str) {
    let loaded = directives.iter().position(|directive| directive.directive == "load_module").unwrap();
    let block = directives.iter().position(|directive| directive.block.is_some()).unwrap();
    assert!(loaded < block, "{directives:#?}");
    assert_eq!(directives[loaded].args, [module]);
}

#[tokio::test]
async fn open_telemetry() {
    let Some(found) = rendered(&["--nginx-otel-endpoint=http://collector.test:4317"]).await else { return };
    is_loaded(&found, "/usr/lib/nginx/modules/ngx_otel_module.so");
    assert_eq!(
        of_module(&found, "otel", "main"),
        [
            "http: otel_exporter",
            "http: otel_service_name feed-ingress-nginx",
            "http: otel_trace on",
            "http: otel_trace_context propagate",
            "server 8081: otel_trace off",
        ]
    );
    assert_eq!(of_module(&found, "endpoint", "main"), ["otel_exporter: endpoint collector.test:4317"]);
}

#[tokio::test]
async fn open_tracing() {
    let flags = [
        "--nginx-modules-path=/m",
        "--nginx-opentracing-plugin-path=/usr/local/lib64/libjaegertracing.so",
        "--nginx-opentracing-config-path=/etc/jaeger-nginx-config.json",
    ];
    let Some(found) = rendered(&flags).await else { return };
    is_loaded(&found, "/m/ngx_http_opentracing_module.so");
    assert_eq!(
        of_module(&found, "opentracing", "main"),
        [
            "http: opentracing_load_tracer /usr/local/lib64/libjaegertracing.so /etc/jaeger-nginx-config.json",
            "http: opentracing on",
            "http: opentracing_propagate_context",
            "http: opentracing_grpc_propagate_context",
            "server 8081: opentracing off",
        ]
    );
}

#[tokio::test]
async fn nothing_is_loaded_without_being_asked_for() {
    let Some(found) = rendered(&[]).await else { return };
    for prefix in ["load_module", "otel", "opentracing"] {
        assert_eq!(of_module(&found, prefix, "main"), [] as [&str; 0]);
    }
}
