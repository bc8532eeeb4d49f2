//! A rendered configuration: a rope whose parts are shared with the one before it.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use crate::certificate::{Digest, KeyPair};
use crate::desired::{UpstreamName, VirtualServer};

/// The number of a configuration, larger than those of all before it.
///
/// nginx answers with it on the status port, which is how a reload is confirmed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(transparent)]
pub struct Generation(pub u64);

impl fmt::Display for Generation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A configuration, complete but for its generation. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Rendered {
    pub(super) parts: Arc<[Part]>,
    pub(super) routes: usize,
    pub(super) certificates: Arc<BTreeMap<Digest, KeyPair>>,
    /// Whether nginx follows endpoints itself.
    pub(super) follows_endpoints: bool,
    /// What it is told of the endpoints of Services.
    pub(super) endpoints: Arc<BTreeMap<UpstreamName, Vec<SocketAddr>>>,
}

/// A part of a configuration.
#[derive(Clone, Debug)]
pub(super) enum Part {
    Text(Arc<str>),
    Generation,
    Chunk(Arc<Chunk>),
}

/// One block, with what it was made from.
#[derive(Debug)]
pub(super) struct Chunk {
    pub(super) text: String,
    pub(super) origin: Origin,
}

/// What a block was made from: where its lines lead back to.
#[derive(Debug)]
pub(super) enum Origin {
    /// Servers with equal bodies.
    Servers(Vec<Arc<VirtualServer>>),
    /// An upstream.
    Upstream(UpstreamName),
}

impl Rendered {
    /// The texts of the file with this generation, one after the other.
    pub fn parts(&self, generation: Generation) -> impl Iterator<Item = Cow<'_, str>> {
        self.parts.iter().map(move |part| match part {
            Part::Text(text) => Cow::Borrowed(&**text),
            Part::Generation => Cow::Owned(generation.to_string()),
            Part::Chunk(chunk) => Cow::Borrowed(chunk.text.as_str()),
        })
    }

    /// The whole file with this generation.
    pub fn to_text(&self, generation: Generation) -> String {
        let mut text = String::with_capacity(self.len() + 64);
        text.extend(self.parts(generation));
        text
    }

    /// The size of the file in bytes, but for the digits of its generation.
    pub fn len(&self) -> usize {
        let len = |part: &Part| match part {
            Part::Text(text) => text.len(),
            Part::Generation => 0,
            Part::Chunk(chunk) => chunk.text.len(),
        };
        self.parts.iter().map(len).sum()
    }

    /// Whether there is no text at all, which never happens with the shipped templates.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many routes are served.
    pub fn routes(&self) -> usize {
        self.routes
    }

    /// Whether endpoints have come or gone since the other one, of which nginx does not learn otherwise.
    pub fn endpoints_changed_since(&self, other: &Self) -> bool {
        self.endpoints != other.endpoints
    }

    /// Whether nginx follows endpoints itself, so that these changes are about which Services it follows.
    pub fn follows_endpoints(&self) -> bool {
        self.follows_endpoints
    }

    /// What must lie in the files of certificates that this one names: see [`certificate_file`].
    pub fn certificates(&self) -> impl Iterator<Item = &KeyPair> {
        self.certificates.values()
    }
}

/// The file of a certificate with its key, below the workdir: named by what is in it, so that it never changes.
pub fn certificate_file(digest: Digest) -> String {
    format!("certificates/{digest}.pem")
}

/// The certificate whose file nginx complains of, if it does of one.
pub fn certificate_in(complaint: &str) -> Option<Digest> {
    complaint.match_indices("certificates/").find_map(|(start, directory)| {
        let name = complaint.get(start + directory.len()..)?;
        let (digest, rest) = name.split_at_checked(64)?;
        rest.starts_with(".pem").then(|| digest.parse().ok())?
    })
}

/// Equal when the files are, whatever their generations.
impl PartialEq for Rendered {
    fn eq(&self, other: &Self) -> bool {
        let same = |(one, two): (&Part, &Part)| match (one, two) {
            (Part::Text(one), Part::Text(two)) => one == two,
            (Part::Generation, Part::Generation) => true,
            (Part::Chunk(one), Part::Chunk(two)) => Arc::ptr_eq(one, two) || one.text == two.text,
            _ => false,
        };
        Arc::ptr_eq(&self.parts, &other.parts)
            || (self.parts.len() == other.parts.len() && self.parts.iter().zip(other.parts.iter()).all(same))
    }
}

impl Eq for Rendered {}
