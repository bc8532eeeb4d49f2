//! The shipped manifests, as an API server and kustomize take them.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use feed_tests::{ControlPlane, Feed, NginxBinary, Sandbox, eventually};
use serde_json::{Value, json};

/// Those that bring all that they need, and the base of `child.yaml` and `sidecar.yaml`.
const COMPONENTS: [&str; 5] = ["elb.yaml", "feed-dns.yaml", "gorb.yaml", "merlin.yaml", "rbac.yaml"];

/// Those that need `rbac.yaml`.
const DEPENDENT: [&str; 3] = ["child.yaml", "sidecar.yaml", "service.yaml"];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../manifests")
}

fn path(file: &str) -> String {
    folder().join(file).to_str().unwrap().to_owned()
}

fn all() -> BTreeSet<String> {
    let names =
        fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|name| Path::new(name).extension().is_some_and(|it| it == "yaml")).collect()
}

/// The objects of a manifest, as kubectl reads them.
fn objects(control_plane: &ControlPlane, file: &str) -> Vec<Value> {
    let arguments = ["create", "--dry-run=client", "--output=json", "-f", &path(file)];
    let printed = control_plane.kubectl(&arguments, "");
    serde_json::Deserializer::from_str(&printed).into_iter().map(Result::unwrap).collect()
}

/// Asks the API server, admission included, whether it would create the pods of a manifest's workloads.
fn try_pods(control_plane: &ControlPlane, file: &str) -> Result<usize, String> {
    let mut pods = 0;
    for workload in objects(control_plane, file) {
        let Some(spec) = workload.pointer("/spec/template/spec") else { continue };
        let namespace = workload["metadata"]["namespace"].as_str().unwrap();
        let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "probe"}, "spec": spec});
        control_plane
            .try_kubectl(
                &["--namespace", namespace, "create", "--dry-run=server", "-f", "-"],
                &pod.to_string(),
            )
            .map_err(|error| format!("{file}: {error}"))?;
        pods += 1;
    }
    Ok(pods)
}

fn permutations(files: &[&'static str]) -> Vec<Vec<&'static str>> {
    if files.is_empty() {
        return vec![Vec::new()];
    }
    let with_first = |first: usize| {
        let mut rest = files.to_vec();
        let file = rest.remove(first);
        permutations(&rest).into_iter().map(move |order| [vec![file], order].concat())
    };
    (0..files.len()).flat_map(with_first).collect()
}

/// Each has its pods whatever else was applied, before or after it.
#[tokio::test]
async fn pods_are_admitted_in_any_order() {
    let Some(control_plane) = ControlPlane::start().await else { return };
    let apply = |file: &str| control_plane.kubectl(&["apply", "-f", &path(file)], "");
    // Alone, on a cluster that knows none of the others.
    for file in COMPONENTS {
        apply(file);
        let expected = usize::from(file != "rbac.yaml");
        assert_eq!(try_pods(&control_plane, file), Ok(expected));
    }
    for file in DEPENDENT {
        apply(file);
        assert_eq!(try_pods(&control_plane, file), Ok(usize::from(file != "service.yaml")));
    }
    apply("ingress-class.yaml");
    for order in permutations(&["elb.yaml", "feed-dns.yaml", "rbac.yaml"]) {
        for file in &order {
            apply(file);
        }
        for file in ["elb.yaml", "feed-dns.yaml", "gorb.yaml", "merlin.yaml", "child.yaml", "sidecar.yaml"] {
            assert_eq!(try_pods(&control_plane, file), Ok(1), "after {order:?}");
        }
    }
    assert_eq!(COMPONENTS.len() + DEPENDENT.len() + 1, all().len(), "one is not tested");
}

#[tokio::test]
async fn kustomize_takes_them_together() {
    let Some(control_plane) = ControlPlane::shared().await else { return };
    let sandbox = Sandbox::new("kustomize");
    let names = all();
    for name in &names {
        fs::copy(folder().join(name), sandbox.join(name)).unwrap();
    }
    let kustomization =
        json!({"apiVersion": "kustomize.config.k8s.io/v1beta1", "kind": "Kustomization", "resources": names});
    fs::write(sandbox.join("kustomization.yaml"), kustomization.to_string()).unwrap();
    let built = control_plane.kubectl(&["kustomize", sandbox.join("").to_str().unwrap()], "");
    control_plane.kubectl(&["apply", "-f", "-"], &built);
    let namespaces = control_plane.kubectl(&["get", "namespaces", "--output=name"], "");
    for name in ["feed", "feed-dns", "feed-elb", "feed-gorb", "feed-merlin"] {
        assert!(namespaces.lines().any(|line| line == format!("namespace/{name}")), "{name}\n{namespaces}");
    }
}

/// A quota for a namespace, and the kubelet under pressure, look at every container.
#[tokio::test]
async fn every_container_says_what_it_needs_and_gives_up_what_it_does_not() {
    let Some(control_plane) = ControlPlane::shared().await else { return };
    let mut containers = 0;
    for file in all() {
        for workload in objects(control_plane, &file) {
            let Some(spec) = workload.pointer("/spec/template/spec") else { continue };
            let of = |kind: &str| spec[kind].as_array().cloned().unwrap_or_default();
            assert_eq!(spec["securityContext"]["seccompProfile"]["type"], "RuntimeDefault", "{file}");
            for container in of("initContainers").iter().chain(&of("containers")) {
                let name = format!("{file}: {}", container["name"]);
                let resources = &container["resources"];
                for resource in ["/requests/cpu", "/requests/memory", "/limits/memory"] {
                    assert!(resources.pointer(resource).is_some(), "{name} has no {resource}");
                }
                let context = &container["securityContext"];
                assert_eq!(context["allowPrivilegeEscalation"], false, "{name}");
                assert_eq!(context["readOnlyRootFilesystem"], true, "{name}");
                assert_eq!(context["capabilities"]["drop"], json!(["ALL"]), "{name}");
                containers += 1;
            }
            for container in of("containers") {
                assert!(!container["livenessProbe"].is_null(), "{file}: {}", container["name"]);
            }
            let probes = of("containers").iter().filter(|it| !it["readinessProbe"].is_null()).count();
            assert_eq!(probes, 1, "{file}: one container says whether the pod serves");
        }
    }
    assert_eq!(containers, 8);
}

/// What feed-ingress may do is written down in several manifests, and is the same in each.
#[tokio::test]
async fn the_roles_of_feed_ingress_are_the_same_in_each_manifest() {
    let Some(control_plane) = ControlPlane::shared().await else { return };
    let mut granted: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for file in COMPONENTS.into_iter().filter(|file| *file != "feed-dns.yaml") {
        let objects = objects(control_plane, file);
        let roles =
            objects.iter().filter(|it| ["ClusterRole", "Role"].contains(&it["kind"].as_str().unwrap()));
        for role in roles {
            // `gorb` knows nothing that could be written to status.
            let of_status = |rule: &&Value| rule["resources"] == json!(["ingresses/status"]);
            let all = role["rules"].as_array().unwrap();
            assert_eq!(
                all.iter().filter(of_status).count() == 1,
                role["kind"] == "ClusterRole" && file != "gorb.yaml"
            );
            let others: Vec<_> = all.iter().filter(|rule| !of_status(rule)).cloned().collect();
            let kind = role["kind"].as_str().unwrap().to_owned();
            assert_eq!(*granted.entry(kind).or_insert_with(|| others.clone()), others, "{file}");
        }
    }
    assert_eq!(granted.len(), 2);
}

/// The Lease is named after the class, and the role is for every class.
#[tokio::test]
async fn a_feed_of_another_class_gets_its_lease() {
    let (Some(nginx), Some(control_plane)) = (NginxBinary::newer(), ControlPlane::shared().await) else {
        return;
    };
    control_plane.kubectl(&["apply", "-f", &path("rbac.yaml")], "");
    let token = control_plane.kubectl(&["create", "token", "feed-ingress", "--namespace", "feed"], "");
    let kubeconfig = control_plane.kubeconfig_for("feed-ingress", token.trim());
    let feed = Feed::builder(&nginx)
        .command("static")
        .kubeconfig(&kubeconfig)
        .flag("--ingress-class", "another")
        .flag("--lease-namespace", "feed")
        .flag("--internal-hostname", "lb.example.com")
        .ready()
        .await;
    eventually("the Lease is held", async || {
        let arguments = ["--namespace", "feed", "get", "lease", "feed-ingress-another", "--output=name"];
        control_plane.try_kubectl(&arguments, "").map_err(|error| format!("{error}\n{}", feed.log()))
    })
    .await;
    assert!(!feed.log().to_lowercase().contains("forbidden"), "{}", feed.log());
}
