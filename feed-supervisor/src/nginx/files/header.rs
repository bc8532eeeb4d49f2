//! What a configuration's file says of itself.

use feed_reconcile::nginx::Generation;

/// The first line: `# feed generation=42 routes=123`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// The configuration's generation.
    pub generation: Generation,
    /// How many routes are in it.
    pub routes: usize,
}

impl Header {
    /// Reads the first line; `None` if it is not one of ours.
    pub fn parse(file: &[u8]) -> Option<Self> {
        let line = file.split(|byte| *byte == b'\n').next()?;
        let words = std::str::from_utf8(line).ok()?.strip_prefix("# feed generation=")?;
        let (generation, routes) = words.split_once(" routes=")?;
        Some(Self { generation: Generation(generation.parse().ok()?), routes: routes.parse().ok()? })
    }
}

/// Whether a configuration listens on that port.
pub fn listens_on(file: &[u8], port: u16) -> bool {
    file.split(|byte| *byte == b'\n').any(|line| {
        let address = line.trim_ascii().strip_prefix(b"listen ");
        let address = address.and_then(|rest| rest.split(|byte| matches!(byte, b' ' | b';')).next());
        let digits = address.and_then(|address| address.rsplit(|byte| *byte == b':').next());
        digits.is_some_and(|digits| digits == port.to_string().as_bytes())
    })
}
