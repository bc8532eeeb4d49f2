//! What the API server has recorded of those who write Leases and Ingress status.

use serde::Deserialize;
use serde_json::Value;

use super::Namespace;

/// A write that was answered.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Write {
    user: User,
    object_ref: Object,
    #[serde(default)]
    request_object: Value,
    response_status: Status,
}

#[derive(Debug, Clone, Deserialize)]
struct User {
    username: String,
}

#[derive(Debug, Clone, Deserialize)]
struct Object {
    resource: String,
    #[serde(default)]
    namespace: String,
    #[serde(default)]
    name: String,
}

#[derive(Debug, Clone, Deserialize)]
struct Status {
    code: u16,
}

impl Write {
    /// The service account that has written.
    pub fn account(&self) -> &str {
        self.user.username.rsplit(':').next().unwrap_or_default()
    }

    /// The Ingress whose status was written, if it is none of a Lease.
    pub fn ingress(&self) -> Option<&str> {
        (self.object_ref.resource == "ingresses").then_some(self.object_ref.name.as_str())
    }

    /// The Lease that was written, if it is none of an Ingress's status. What is created is named only by what was sent.
    pub fn lease(&self) -> Option<&str> {
        let sent = self.request_object["metadata"]["name"].as_str().unwrap_or_default();
        let name = Some(self.object_ref.name.as_str()).filter(|name| !name.is_empty());
        (self.object_ref.resource == "leases").then(|| name.unwrap_or(sent))
    }

    /// What was sent.
    pub fn sent(&self) -> &Value {
        &self.request_object
    }

    /// Whether it was done.
    pub fn is_done(&self) -> bool {
        (200..300).contains(&self.response_status.code)
    }
}

impl Namespace<'_> {
    /// Every write to Leases and Ingress status in this namespace so far, in the order in which the API server has
    /// answered.
    pub fn writes(&self) -> Vec<Write> {
        let log = std::fs::read_to_string(self.control_plane().sandbox.join("audit.log")).unwrap_or_default();
        // The last line may not be complete yet.
        let writes = log.lines().filter_map(|line| serde_json::from_str::<Write>(line).ok());
        writes.filter(|write| write.object_ref.namespace == self.name()).collect()
    }

    /// A kubeconfig file of a service account of that name, which may do what feed does: by it [`Write::account`] tells one
    /// replica from another.
    pub fn account(&self, name: &str) -> std::path::PathBuf {
        const RESOURCES: &str = "--resource=ingresses.networking.k8s.io,ingresses.networking.k8s.io/status,\
                                 ingressclasses.networking.k8s.io,services,secrets,namespaces,\
                                 endpointslices.discovery.k8s.io,events";
        let (namespace, role) = (self.name(), format!("{}-{name}", self.name()));
        self.kubectl(&["create", "serviceaccount", name], "");
        let account = format!("--serviceaccount={namespace}:{name}");
        self.kubectl(&["create", "clusterrole", &role, "--verb=*", RESOURCES], "");
        self.kubectl(
            &["create", "clusterrolebinding", &role, &format!("--clusterrole={role}"), &account],
            "",
        );
        self.kubectl(&["create", "role", name, "--verb=*", "--resource=leases.coordination.k8s.io"], "");
        self.kubectl(&["create", "rolebinding", name, &format!("--role={name}"), &account], "");
        let token = self.kubectl(&["create", "token", name], "");
        self.control_plane().kubeconfig_for(&role, token.trim())
    }

    /// Has an account of [`Self::account`] see no Lease any more.
    pub fn take_leases_from(&self, name: &str) {
        self.kubectl(&["delete", "rolebinding", name], "");
    }
}
