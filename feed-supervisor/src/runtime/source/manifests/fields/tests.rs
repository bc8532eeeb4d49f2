use k8s_openapi::api::core::v1::{Secret, Service};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use k8s_openapi::api::networking::v1::Ingress;
use serde_json::json;

use super::*;

/// The fields that there are not, each spelled out.
fn unknown<T: DeserializeOwned>(value: Value) -> Vec<String> {
    let (_, unknown) = read::<T>(value).map_err(|it| it.error).unwrap();
    unknown.iter().map(|it| format!("{} {}", Spelled(&it.way), it.name)).collect()
}

#[test]
fn what_there_is_is_read_and_what_there_is_not_is_noted() {
    let ingress = json!({
        "apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "Spec": {},
        "metadata": {"name": "a", "annotation": {}, "annotations": {"any": "key"}, "creationTimestamp": null},
        "spec": {
            "backend": {},
            "defaultBackend": {"service": {"name": "a", "port": {"numbers": 1}}, "serviceName": "b"},
            "tls": [{"host": ["a"], "secretName": "a"}],
            "rules": [
                {"host": "a", "http": {"paths": [{"path": "/", "pathtype": "Exact", "backend": {"servicePort": 80}}]}},
                {"hosts": ["a"], "http": {"path": [{"any": {"depth": []}}], "paths": []}},
            ],
        },
        "status": {"loadBalancer": {"ingress": [{"ip": "192.0.2.1", "ipv6": "x"}]}},
    });
    assert_eq!(
        unknown::<Ingress>(ingress),
        [
            " Spec",
            "metadata annotation",
            "spec backend",
            "spec.defaultBackend.service.port numbers",
            "spec.defaultBackend serviceName",
            "spec.rules[0].http.paths[0].backend servicePort",
            "spec.rules[0].http.paths[0] pathtype",
            "spec.rules[1] hosts",
            "spec.rules[1].http path",
            "spec.tls[0] host",
            "status.loadBalancer.ingress[0] ipv6",
        ]
    );
}

#[test]
fn every_kind_of_value_is_read() {
    let service = json!({
        "metadata": {"name": "a", "labels": {"a": "b"}, "generation": 3, "creationTimestamp": "2024-01-01T00:00:00Z"},
        "spec": {"ports": [{"port": 80, "targetPort": 8080}, {"port": 81, "targetPort": "http", "Port": 1}], "clusterIp": "x"},
    });
    assert_eq!(unknown::<Service>(service.clone()), ["spec clusterIp", "spec.ports[1] Port"]);
    let (typed, _) = read::<Service>(service.clone()).unwrap();
    let plain: Service = serde_json::from_value(service).unwrap();
    assert_eq!(typed, plain);

    let secret =
        json!({"data": {"tls.crt": "YQ==", "tls.key": null}, "type": "kubernetes.io/tls", "immutable": true});
    let (typed, none) = read::<Secret>(secret.clone()).unwrap();
    assert_eq!((typed, none), (serde_json::from_value(secret).unwrap(), vec![]));
    let slice = json!({"addressType": "IPv4", "endpoints": [{"addresses": ["10.0.0.1"], "conditions": {"ready": true}, "x": 1}]});
    assert_eq!(unknown::<EndpointSlice>(slice), ["endpoints[0] x"]);
}

#[test]
fn what_is_not_of_its_type_is_located() {
    for (value, expected) in [
        (json!({"spec": {"rules": 7}}), "spec.rules"),
        (json!({"metadata": {"annotations": {"a.b/c": true}}}), "metadata.annotations.a.b/c"),
        (
            json!({"spec": {"rules": [{}, {"http": {"paths": [{"path": []}]}}]}}),
            "spec.rules[1].http.paths[0].path",
        ),
        (json!([]), ""),
        (json!("x"), ""),
    ] {
        let mistyped = read::<Ingress>(value.clone()).unwrap_err();
        assert_eq!(Spelled(&mistyped.way).to_string(), expected, "{value}");
        assert!(!mistyped.error.to_string().is_empty());
    }
}
