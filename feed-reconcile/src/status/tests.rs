use std::collections::BTreeSet;

use super::{StatusChange, status_change, status_changes};
use crate::desired::{DesiredState, IngressSummary, Scheme};
use crate::fixture;
use crate::host::Host;
use crate::options::Endpoint;

/// The list to write to an Ingress with that list, each entry as YAML; `None` when it is left alone.
fn change(current: &str, adopted: Adopted, endpoints: &BTreeSet<(Scheme, Endpoint)>) -> Option<Vec<String>> {
    let ingress = fixture::parse(&format!("status: {{loadBalancer: {{ingress: {current}}}}}"));
    let list = status_change(&ingress, adopted.summary().as_ref(), endpoints)?;
    let entry =
        |it: &k8s_openapi::api::networking::v1::IngressLoadBalancerIngress| match (&it.ip, &it.hostname) {
            (Some(ip), None) => format!("ip: {ip}"),
            (None, Some(hostname)) => format!("hostname: {hostname}"),
            other => panic!("{other:?}"),
        };
    Some(list.iter().map(entry).collect())
}

fn name(scheme: Scheme, name: &str) -> (Scheme, Endpoint) {
    (scheme, Endpoint::Name(Host::new(name).unwrap()))
}

fn ip(scheme: Scheme, address: &str) -> (Scheme, Endpoint) {
    (scheme, Endpoint::Ip(address.parse().unwrap()))
}

fn both() -> BTreeSet<(Scheme, Endpoint)> {
    [name(Scheme::Internal, "In.Example.com"), ip(Scheme::InternetFacing, "2001:db8::7")].into()
}

/// Whether an Ingress is ours, and the scheme that it names.
#[derive(Clone, Copy)]
enum Adopted {
    No,
    WithoutScheme,
    With(Scheme),
}

impl Adopted {
    fn summary(self) -> Option<IngressSummary> {
        let scheme = match self {
            Self::No => return None,
            Self::WithoutScheme => None,
            Self::With(scheme) => Some(scheme),
        };
        Some(IngressSummary { scheme, ..IngressSummary::default() })
    }
}

const INTERNAL: Adopted = Adopted::With(Scheme::Internal);
const EXTERNAL: Adopted = Adopted::With(Scheme::InternetFacing);

#[test]
fn a_name_goes_to_hostname_in_lower_case() {
    assert_eq!(change("null", INTERNAL, &both()), Some(vec!["hostname: in.example.com".to_owned()]));
}

#[test]
fn an_address_goes_to_ip() {
    assert_eq!(change("[]", EXTERNAL, &both()), Some(vec!["ip: 2001:db8::7".to_owned()]));
}

#[test]
fn what_is_right_is_left_alone() {
    assert_eq!(change("[{hostname: in.example.com}]", INTERNAL, &both()), None);
    assert_eq!(change("[{ip: '2001:db8::7'}]", EXTERNAL, &both()), None);
    assert_eq!(
        change("[{ip: '2001:DB8:0::7'}]", EXTERNAL, &both()),
        None,
        "the same address in another spelling"
    );
}

#[test]
fn the_whole_list_of_an_adopted_ingress_is_ours() {
    let ours = Some(vec!["hostname: in.example.com".to_owned()]);
    assert_eq!(change("[{hostname: in.example.com}, {ip: 192.0.2.1}]", INTERNAL, &both()), ours);
    assert_eq!(change("[{hostname: in.example.com}, {hostname: in.example.com}]", INTERNAL, &both()), ours);
    assert_eq!(change("[{hostname: in.example.com, ip: 192.0.2.1}]", INTERNAL, &both()), ours);
    let ports = "[{hostname: in.example.com, ports: [{port: 80, protocol: TCP}]}]";
    assert_eq!(change(ports, INTERNAL, &both()), ours);
    assert_eq!(change("[{ip: '2001:db8::7'}]", INTERNAL, &both()), ours, "the scheme has changed");
}

#[test]
fn without_a_load_balancer_of_its_scheme_there_is_no_entry() {
    let only_internal = [name(Scheme::Internal, "in.example.com")].into();
    assert_eq!(change("[{hostname: in.example.com}]", EXTERNAL, &only_internal), Some(vec![]));
    assert_eq!(change("[{ip: 192.0.2.1}]", Adopted::WithoutScheme, &both()), Some(vec![]));
    assert_eq!(change("[]", Adopted::WithoutScheme, &both()), None);
}

#[test]
fn the_order_does_not_matter() {
    let two = [name(Scheme::Internal, "a.example.com"), name(Scheme::Internal, "b.example.com")].into();
    assert_eq!(change("[{hostname: b.example.com}, {hostname: a.example.com}]", INTERNAL, &two), None);
    assert_eq!(
        change("[{hostname: b.example.com}]", INTERNAL, &two),
        Some(vec!["hostname: a.example.com".to_owned(), "hostname: b.example.com".to_owned()])
    );
}

#[test]
fn what_is_not_adopted_any_more_loses_our_entries_and_keeps_the_others() {
    assert_eq!(
        change("[{hostname: in.example.com}, {ip: 192.0.2.1}, {ip: '2001:db8::7'}]", Adopted::No, &both()),
        Some(vec!["ip: 192.0.2.1".to_owned()])
    );
    assert_eq!(change("[{ip: 192.0.2.1}, {hostname: other.example.com}]", Adopted::No, &both()), None);
    assert_eq!(change("null", Adopted::No, &both()), None);
}

#[test]
fn an_ingress_without_any_status() {
    let ingress = fixture::parse("metadata: {name: it}");
    assert_eq!(status_change(&ingress, INTERNAL.summary().as_ref(), &both()).map(|list| list.len()), Some(1));
    assert_eq!(status_change(&ingress, None, &both()), None);
}

#[test]
fn after_writing_there_is_nothing_left_to_write() {
    let mut snapshot = fixture::snapshot(
        "
kind: Ingress
metadata: {name: internal, namespace: ns}
---
kind: Ingress
metadata: {name: left, namespace: ns}
status: {loadBalancer: {ingress: [{hostname: in.example.com}]}}
---
kind: Ingress
metadata: {name: never-ours, namespace: ns}
status: {loadBalancer: {ingress: [{hostname: other.example.com}]}}
",
    );
    let mut state = DesiredState::default();
    let internal = snapshot.ingresses.iter().next().unwrap().0.clone();
    state
        .ingresses
        .insert(internal, IngressSummary { scheme: Some(Scheme::Internal), ..IngressSummary::default() });
    let changes = status_changes(&snapshot, &state, &both());
    let names: Vec<String> = changes.iter().map(|change| change.ingress.to_string()).collect();
    assert_eq!(names, ["ns/internal", "ns/left"]);
    for StatusChange { ingress, load_balancer } in changes {
        let mut object = (**snapshot.ingresses.get(&ingress).unwrap()).clone();
        object.status.get_or_insert_default().load_balancer.get_or_insert_default().ingress =
            Some(load_balancer);
        snapshot.ingresses.insert(object.into());
    }
    assert_eq!(status_changes(&snapshot, &state, &both()), []);
}
