use super::*;
use crate::runtime::metrics::Metrics;
use calls::ApiCalls;

#[tokio::test]
async fn outside_of_a_pod_a_file_is_needed() {
    let error = config(None).await.unwrap_err().to_string();
    assert!(
        error.starts_with("no Kubernetes API server is known: this process does not run in a pod ("),
        "{error}"
    );
    assert!(error.ends_with("give --kubeconfig FILE, or --manifests DIR to do without a cluster"), "{error}");
}

#[tokio::test]
async fn a_missing_or_broken_file_is_named_in_one_line_without_its_secrets() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("kubeconfig");
    for (content, expected) in [
        (None, "No such file or directory (os error 2)"),
        (Some("users: [{user: {token: secret"), "unclosed bracket '{' at line 1, column 16"),
        (Some("users: [{user: {token: [secret]}}]"), "expected string scalar at line 1, column 24"),
        (Some("apiVersion: v1\nkind: Config\n"), "failed to determine current context"),
    ] {
        if let Some(content) = content {
            std::fs::write(&path, content).unwrap();
        }
        let error = config(Some(&path)).await.unwrap_err().to_string();
        assert_eq!(error, format!("cannot use the kubeconfig file {}: {expected}", path.display()));
    }
}

#[tokio::test]
async fn a_client_is_made_from_a_file() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("kubeconfig");
    let kubeconfig = "apiVersion: v1\nkind: Config\ncurrent-context: c\n\
                      contexts: [{name: c, context: {cluster: k, user: u}}]\n\
                      clusters: [{name: k, cluster: {server: 'https://127.0.0.1:1'}}]\n\
                      users: [{name: u, user: {token: t}}]\n";
    std::fs::write(&path, kubeconfig).unwrap();
    let config = config(Some(&path)).await.unwrap();
    assert_eq!(config.cluster_url.to_string(), "https://127.0.0.1:1/");
    let observe = ObserveLayer::new(ApiCalls::register(&mut Metrics::new("feed_test")));
    assert!(client(config, &observe).is_ok());
}
