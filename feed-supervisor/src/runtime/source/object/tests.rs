use serde_json::{Value, json};

use super::*;

/// What is kept of an object.
fn trimmed<K: Tracked + serde::Serialize>(object: Value) -> K {
    let mut object: K = serde_json::from_value(object).unwrap();
    object.trim();
    object
}

fn metadata() -> Value {
    json!({
        "name": "a", "namespace": "b", "uid": "u", "resourceVersion": "7", "generation": 3,
        "creationTimestamp": "2026-11-23T00:00:00Z", "generateName": "a-",
        "labels": {"l": "m"}, "annotations": {"x": "y", LAST_APPLIED: "{}"},
        "managedFields": [{"manager": "kubectl"}], "finalizers": ["f"],
        "ownerReferences": [{"apiVersion": "v1", "kind": "K", "name": "n", "uid": "v"}],
    })
}

/// What is kept of an object, as JSON.
fn kept<K: Tracked + serde::Serialize>(object: Value) -> String {
    serde_json::to_string(&trimmed::<K>(object)).unwrap() + "\n"
}

#[test]
fn what_decides_is_kept_and_the_status_of_an_ingress() {
    let mut all = kept::<Ingress>(json!({
        "apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": metadata(),
        "spec": {"rules": [{"host": "h"}]},
        "status": {"loadBalancer": {"ingress": [{"ip": "192.0.2.1"}]}},
    }));
    all += &kept::<Service>(json!({
        "apiVersion": "v1", "kind": "Service", "metadata": metadata(),
        "spec": {
            "clusterIP": "10.0.0.1", "clusterIPs": ["10.0.0.1"], "type": "NodePort", "selector": {"a": "b"},
            "ports": [{"name": "http", "port": 80, "targetPort": "web", "nodePort": 30000, "appProtocol": "http"}],
            "sessionAffinity": "None",
        },
        "status": {"loadBalancer": {}},
    }));
    all += &kept::<Namespace>(json!({
        "apiVersion": "v1", "kind": "Namespace", "metadata": metadata(),
        "spec": {"finalizers": ["kubernetes"]}, "status": {"phase": "Active"},
    }));
    all += &kept::<Secret>(json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": metadata(), "type": TLS_SECRET,
        "data": {"tls.key": "c2VjcmV0", "tls.crt": "b2xk", "other": "eA=="}, "stringData": {"tls.crt": "new", "more": "x"},
    }));
    all += &kept::<IngressClass>(json!({
        "apiVersion": "networking.k8s.io/v1", "kind": "IngressClass", "metadata": metadata(),
        "spec": {"controller": "c"},
    }));
    all += &kept::<EndpointSlice>(json!({
        "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "metadata": metadata(),
        "addressType": "IPv4", "ports": [{"name": "http", "port": 8080}],
        "endpoints": [{
            "addresses": ["192.0.2.1"], "conditions": {"ready": true}, "nodeName": "n", "zone": "z",
            "hints": {"forZones": [{"name": "z"}]}, "targetRef": {"kind": "Pod", "name": "p"},
        }],
    }));
    insta::assert_snapshot!(all, @r#"
        {"apiVersion":"networking.k8s.io/v1","kind":"Ingress","metadata":{"annotations":{"x":"y"},"creationTimestamp":"2026-11-23T00:00:00Z","name":"a","namespace":"b","resourceVersion":"7","uid":"u"},"spec":{"rules":[{"host":"h"}]},"status":{"loadBalancer":{"ingress":[{"ip":"192.0.2.1"}]}}}
        {"apiVersion":"v1","kind":"Service","metadata":{"creationTimestamp":"2026-11-23T00:00:00Z","name":"a","namespace":"b","uid":"u"},"spec":{"clusterIP":"10.0.0.1","ports":[{"appProtocol":"http","name":"http","port":80,"targetPort":"web"}],"type":"NodePort"}}
        {"apiVersion":"v1","kind":"Namespace","metadata":{"creationTimestamp":"2026-11-23T00:00:00Z","labels":{"l":"m"},"name":"a","namespace":"b","uid":"u"}}
        {"apiVersion":"v1","kind":"Secret","data":{"tls.crt":"bmV3","tls.key":"c2VjcmV0"},"metadata":{"creationTimestamp":"2026-11-23T00:00:00Z","name":"a","namespace":"b","uid":"u"},"type":"kubernetes.io/tls"}
        {"apiVersion":"networking.k8s.io/v1","kind":"IngressClass","metadata":{"annotations":{"x":"y"},"creationTimestamp":"2026-11-23T00:00:00Z","name":"a","namespace":"b","uid":"u"}}
        {"apiVersion":"discovery.k8s.io/v1","kind":"EndpointSlice","addressType":"IPv4","endpoints":[{"addresses":["192.0.2.1"],"conditions":{"ready":true}}],"metadata":{"creationTimestamp":"2026-11-23T00:00:00Z","labels":{"l":"m"},"name":"a","namespace":"b","uid":"u"},"ports":[{"name":"http","port":8080}]}
        "#);
}

fn ingress(change: impl FnOnce(&mut Value)) -> Ingress {
    let mut object = json!({
        "apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": metadata(),
        "spec": {"rules": [{"host": "h"}]},
    });
    change(&mut object);
    trimmed(object)
}

#[test]
fn only_what_decides_is_a_decisive_change() {
    let before = ingress(|_| ());
    let change = |change: fn(&mut Value)| compare(&before, &ingress(change));
    assert_eq!(change(|_| ()), Change::None);
    assert_eq!(change(|object| object["metadata"]["labels"] = json!({})), Change::None);
    assert_eq!(change(|object| object["metadata"]["managedFields"] = json!([])), Change::None);
    assert_eq!(change(|object| object["metadata"]["resourceVersion"] = json!("8")), Change::Informative);
    assert_eq!(change(|object| object["status"] = json!({"loadBalancer": {}})), Change::Informative);
    assert_eq!(change(|object| object["metadata"]["annotations"]["x"] = json!("z")), Change::Decisive);
    assert_eq!(change(|object| object["spec"]["rules"][0]["host"] = json!("i")), Change::Decisive);
    assert_eq!(change(|object| object["metadata"]["uid"] = json!("v")), Change::Decisive);
}

#[test]
fn an_equal_object_does_not_replace_the_one_that_is_there() {
    let mut snapshot = ClusterSnapshot::default();
    assert_eq!(put(&mut snapshot, ingress(|_| ())), Change::Decisive);
    let before = snapshot.clone();
    assert_eq!(put(&mut snapshot, ingress(|_| ())), Change::None);
    assert!(before.ingresses.changed(&snapshot.ingresses).is_empty());
    let newer = |object: &mut Value| object["metadata"]["resourceVersion"] = json!("8");
    assert_eq!(put(&mut snapshot, ingress(newer)), Change::Informative);
    assert_eq!(before.ingresses.changed(&snapshot.ingresses).len(), 1);
}

#[test]
fn a_listing_replaces_only_what_differs() {
    let named = |name: &'static str| ingress(move |object| object["metadata"]["name"] = json!(name));
    let mut snapshot = ClusterSnapshot::default();
    let list = |snapshot: &mut ClusterSnapshot, objects: Vec<Ingress>| {
        let objects = objects.into_iter().map(|object| shared(&snapshot.ingresses, object)).collect();
        replace(snapshot, objects)
    };
    assert_eq!(list(&mut snapshot, vec![named("a"), named("b")]), Change::Decisive);
    let before = snapshot.clone();
    assert_eq!(list(&mut snapshot, vec![named("b"), named("a")]), Change::None);
    assert_eq!(list(&mut snapshot, vec![named("a"), named("c")]), Change::Decisive);
    let changed: Vec<String> =
        before.ingresses.changed(&snapshot.ingresses).iter().map(ToString::to_string).collect();
    assert_eq!(changed, ["b/b", "b/c"]);
    let newer = ingress(|object| {
        object["metadata"]["name"] = json!("a");
        object["metadata"]["resourceVersion"] = json!("8");
    });
    assert_eq!(list(&mut snapshot, vec![newer, named("c")]), Change::Informative);
}
