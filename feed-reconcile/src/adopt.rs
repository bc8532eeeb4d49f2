//! Which Ingresses are ours.

use std::collections::BTreeMap;

use k8s_openapi::api::networking::v1::Ingress;

use crate::key::ObjectName;
use crate::options::Adoption;
use crate::snapshot::ClusterSnapshot;

/// The annotation that named an Ingress's class before `spec.ingressClassName` did, and still takes precedence.
const CLASS_ANNOTATION: &str = "kubernetes.io/ingress.class";

/// The annotation of an `IngressClass` that makes it the one of Ingresses that name none.
const DEFAULT_CLASS_ANNOTATION: &str = "ingressclass.kubernetes.io/is-default-class";

/// Whether the Ingress is ours, by its class and by its namespace's labels.
pub(crate) fn is_adopted(ingress: &Ingress, snapshot: &ClusterSnapshot, options: &Adoption) -> bool {
    has_our_class(ingress, snapshot, options) && is_in_our_namespace(ingress, snapshot, options)
}

fn has_our_class(ingress: &Ingress, snapshot: &ClusterSnapshot, options: &Adoption) -> bool {
    let Some(ours) = options.class.as_deref() else { return true };
    let annotated = ingress.metadata.annotations.as_ref().and_then(|map| map.get(CLASS_ANNOTATION));
    let specified = ingress.spec.as_ref().and_then(|spec| spec.ingress_class_name.as_ref());
    match annotated.or(specified) {
        Some(class) => class == ours,
        None => options.include_classless || is_default_class(ours, snapshot),
    }
}

fn is_default_class(name: &str, snapshot: &ClusterSnapshot) -> bool {
    let class = snapshot.ingress_classes.get(&ObjectName::new("", name));
    let annotations = class.and_then(|class| class.metadata.annotations.as_ref());
    annotations.and_then(|map| map.get(DEFAULT_CLASS_ANNOTATION)).is_some_and(|value| value == "true")
}

fn is_in_our_namespace(ingress: &Ingress, snapshot: &ClusterSnapshot, options: &Adoption) -> bool {
    if options.namespace_selectors.is_empty() {
        return true;
    }
    let name = ObjectName::new("", ingress.metadata.namespace.as_deref().unwrap_or(""));
    let none = BTreeMap::new();
    let labels = snapshot.namespaces.get(&name).and_then(|it| it.metadata.labels.as_ref()).unwrap_or(&none);
    let mut matches = options
        .namespace_selectors
        .iter()
        .map(|selector| labels.get(&selector.name) == Some(&selector.value));
    if options.match_all_namespace_selectors { matches.all(|it| it) } else { matches.any(|it| it) }
}

#[cfg(test)]
mod tests;
