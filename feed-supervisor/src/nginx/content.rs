//! A configuration's content, be it rendered by us or found on disk.

use std::borrow::Cow;
use std::sync::Arc;

use feed_reconcile::certificate::KeyPair;
use feed_reconcile::nginx::{Generation, Rendered};
use feed_reconcile::snapshot::Store;
use k8s_openapi::api::networking::v1::Ingress;

/// A configuration's content. Equal when the files are, whatever their generations.
#[derive(Clone, Debug)]
pub enum Content {
    /// Rendered by this process.
    Rendered {
        /// The configuration.
        rendered: Rendered,
        /// The Ingresses that it was computed from.
        ingresses: Store<Ingress>,
        /// Whether nobody innocent may be missing in it.
        complete: bool,
    },
    /// Found on disk.
    File {
        /// The generation that is in the bytes.
        generation: Generation,
        /// The whole file.
        bytes: Arc<[u8]>,
    },
}

impl Content {
    /// The rendered configuration, unless it was found on disk.
    pub fn rendered(&self) -> Option<&Rendered> {
        match self {
            Self::Rendered { rendered, .. } => Some(rendered),
            Self::File { .. } => None,
        }
    }

    /// The Ingresses that it was computed from, unless it was found on disk.
    pub fn ingresses(&self) -> Option<&Store<Ingress>> {
        match self {
            Self::Rendered { ingresses, .. } => Some(ingresses),
            Self::File { .. } => None,
        }
    }

    /// Whether nobody innocent may be missing in it. What was found on disk is served already.
    pub fn is_complete(&self) -> bool {
        match self {
            Self::Rendered { complete, .. } => *complete,
            Self::File { .. } => true,
        }
    }

    /// What must lie in the files of certificates that it names, unless it was found on disk, where they lie too.
    pub fn certificates(&self) -> impl Iterator<Item = &KeyPair> {
        self.rendered().into_iter().flat_map(Rendered::certificates)
    }

    /// The texts of the file with this generation, one after the other. What was found on disk keeps its own.
    pub fn parts(&self, generation: Generation) -> Box<dyn Iterator<Item = Cow<'_, str>> + '_> {
        match self {
            Self::Rendered { rendered, .. } => Box::new(rendered.parts(generation)),
            Self::File { bytes, .. } => Box::new(std::iter::once(String::from_utf8_lossy(bytes))),
        }
    }
}

impl PartialEq for Content {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Rendered { rendered: one, .. }, Self::Rendered { rendered: two, .. }) => one == two,
            (Self::Rendered { rendered, .. }, Self::File { generation, bytes })
            | (Self::File { generation, bytes }, Self::Rendered { rendered, .. }) => {
                is_same(rendered, *generation, bytes)
            }
            (
                Self::File { generation, bytes },
                Self::File { generation: other_generation, bytes: other_bytes },
            ) => generation == other_generation && bytes == other_bytes,
        }
    }
}

/// Whether a file is what would be written with that generation.
fn is_same(rendered: &Rendered, generation: Generation, mut file: &[u8]) -> bool {
    for part in rendered.parts(generation) {
        match file.strip_prefix(part.as_bytes()) {
            Some(rest) => file = rest,
            None => return false,
        }
    }
    file.is_empty()
}
