//! PEM: the text form of certificates and keys (RFC 7468).

use feed_reconcile::certificate::Fault;
use rustls::pki_types::pem::{PemObject, SectionKind};

/// The characters of a line.
const LINE: usize = 64;

const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// The sections of a text, in order; `broken` is said of one that cannot be read.
pub(super) fn read(text: &[u8], broken: &Fault) -> Result<Vec<(SectionKind, Vec<u8>)>, Fault> {
    let sections = <(SectionKind, Vec<u8>)>::pem_slice_iter(text);
    sections.map(|section| section.map_err(|_| broken.clone())).collect()
}

/// Appends a section.
pub(super) fn write(text: &mut String, kind: SectionKind, der: &[u8]) {
    let label = match kind {
        SectionKind::RsaPrivateKey => "RSA PRIVATE KEY",
        SectionKind::EcPrivateKey => "EC PRIVATE KEY",
        SectionKind::PrivateKey => "PRIVATE KEY",
        _ => "CERTIFICATE",
    };
    text.push_str("-----BEGIN ");
    text.push_str(label);
    text.push_str("-----\n");
    for line in der.chunks(LINE / 4 * 3) {
        line.chunks(3).for_each(|group| text.extend(encoded(group)));
        text.push('\n');
    }
    text.push_str("-----END ");
    text.push_str(label);
    text.push_str("-----\n");
}

/// One to three bytes in Base64.
fn encoded(group: &[u8]) -> [char; 4] {
    let bits = (0..3).fold(0, |bits, at| bits << 8 | usize::from(group.get(at).copied().unwrap_or(0)));
    let digit = |at: usize| {
        let digit = DIGITS.get(bits >> (18 - 6 * at) & 63).copied().unwrap_or(b'=');
        char::from(if at > group.len() { b'=' } else { digit })
    };
    [digit(0), digit(1), digit(2), digit(3)]
}
