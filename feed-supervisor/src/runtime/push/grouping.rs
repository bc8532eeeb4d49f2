//! The grouping key: what is pushed replaces what was pushed under the same one.

use std::collections::BTreeMap;

use reqwest::Url;

/// Labels that metrics of every program have: the gateway would overwrite them, and refuse the series that then are the same.
const TAKEN: [&str; 10] =
    ["code", "job", "le", "operation", "outcome", "quantile", "resource", "service", "severity", "verb"];

/// Whether a label of this name may be given to all that is pushed, unless the program's own metrics have it.
pub fn may_be_label(name: &str) -> bool {
    let mut bytes = name.bytes();
    bytes.next().is_some_and(|byte| byte.is_ascii_alphabetic() || byte == b'_')
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        && !name.starts_with("__")
        && !TAKEN.contains(&name)
}

/// Where to push: the gateway's URL and the grouping key. A label `instance` takes the place of the host's name.
pub(super) fn target(gateway: &Url, job: &str, instance: &str, labels: &BTreeMap<String, String>) -> Url {
    let mut target = gateway.clone();
    if let Ok(mut path) = target.path_segments_mut() {
        path.pop_if_empty().extend(["metrics", "job", job]);
        let instance = Some(("instance", instance)).filter(|_| !labels.contains_key("instance"));
        let labels = labels.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        for (name, value) in instance.into_iter().chain(labels) {
            if plain(value) {
                path.extend([name, value]);
            } else {
                path.extend([format!("{name}@base64"), base64(value.as_bytes())]);
            }
        }
    }
    target
}

/// Whether a path can hold the value as it is. `.` and `..` would be taken for what they mean elsewhere.
fn plain(value: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~:".contains(&byte);
    !value.is_empty() && value.bytes().all(allowed) && !value.bytes().all(|byte| byte == b'.')
}

/// RFC 4648's alphabet for URLs, unpadded; nothing is written as one padding character, which the gateway knows.
fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    if bytes.is_empty() {
        return "=".to_owned();
    }
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let bits =
            (0..3).fold(0, |bits, at| bits << 8 | usize::from(group.get(at).copied().unwrap_or_default()));
        let letters = (0..=group.len()).filter_map(|at| ALPHABET.get(bits >> (18 - 6 * at) & 63));
        text.extend(letters.map(|letter| char::from(*letter)));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_is_job_instance_and_labels() {
        let labels = |pairs: &[(&str, &str)]| {
            pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
        };
        for (gateway, pairs, expected) in [
            ("http://g:9091", &[][..], "http://g:9091/metrics/job/feed-dns/instance/node-1"),
            ("http://g/", &[("a", "b")], "http://g/metrics/job/feed-dns/instance/node-1/a/b"),
            ("https://u:p@g/push/", &[], "https://u:p@g/push/metrics/job/feed-dns/instance/node-1"),
            ("http://g", &[("instance", "mine")], "http://g/metrics/job/feed-dns/instance/mine"),
            (
                "http://g",
                &[("empty", ""), ("path", "/a b"), ("up", "..")],
                "http://g/metrics/job/feed-dns/instance/node-1/empty@base64/=/path@base64/L2EgYg/up@base64/Li4",
            ),
        ] {
            let target = target(&Url::parse(gateway).unwrap(), "feed-dns", "node-1", &labels(pairs));
            assert_eq!(target.as_str(), expected);
        }
    }

    /// RFC 4648, 10, but for the padding; and the letters that only URLs have.
    #[test]
    fn base64_is_that_of_the_rfc() {
        for (text, expected) in [
            ("f", "Zg"),
            ("fo", "Zm8"),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg"),
            ("fooba", "Zm9vYmE"),
            ("foobar", "Zm9vYmFy"),
            ("ÿ~", "w79-"),
        ] {
            assert_eq!(base64(text.as_bytes()), expected, "{text}");
        }
    }

    #[test]
    fn labels_of_metrics_and_of_prometheus_itself_are_refused() {
        for (name, expected) in [
            ("a", true),
            ("_a1", true),
            ("instance", true),
            ("", false),
            ("1a", false),
            ("a-b", false),
            ("__a", false),
            ("job", false),
            ("code", false),
        ] {
            assert_eq!(may_be_label(name), expected, "{name}");
        }
    }
}
