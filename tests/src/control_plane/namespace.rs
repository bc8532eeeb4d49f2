//! One test's part of a shared control plane.

use std::sync::atomic::{AtomicU32, Ordering};

use super::ControlPlane;

/// A namespace whose name is also that of its test's ingress class.
#[derive(Debug)]
pub struct Namespace<'a> {
    control_plane: &'a ControlPlane,
    name: String,
}

impl<'a> Namespace<'a> {
    pub(super) async fn create(control_plane: &'a ControlPlane) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(1);
        let name = format!("test-{}", NEXT.fetch_add(1, Ordering::Relaxed));
        let namespace = Self { control_plane, name };
        // The API server says that it is ready a moment before it has made the namespaces that it needs itself.
        crate::eventually("the namespace is created", async || {
            control_plane.try_kubectl(&["create", "namespace", &namespace.name], "")
        })
        .await;
        namespace
    }

    /// Its name, and that of the ingress class that the test gives its Ingresses.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The control plane that it belongs to.
    pub fn control_plane(&self) -> &'a ControlPlane {
        self.control_plane
    }

    /// Creates or changes objects.
    pub fn apply(&self, yaml: &str) {
        self.kubectl(&["apply", "-f", "-"], yaml);
    }

    /// Runs kubectl in this namespace.
    pub fn kubectl(&self, arguments: &[&str], input: &str) -> String {
        self.control_plane.kubectl(&[&["--namespace", &self.name], arguments].concat(), input)
    }

    /// Runs kubectl in this namespace; what it complains about is returned.
    pub fn try_kubectl(&self, arguments: &[&str], input: &str) -> Result<String, String> {
        self.control_plane.try_kubectl(&[&["--namespace", &self.name], arguments].concat(), input)
    }
}
