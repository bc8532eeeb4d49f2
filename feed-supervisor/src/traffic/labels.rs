//! Labels that are written once for all samples of a route or an endpoint: there are many, and a page is wanted quickly.

use std::fmt::{self, Write};

use prometheus_client::encoding::{EncodeLabelSet, LabelSetEncoder};

/// Labels as the text formats have them: `host="a",path="/b"`, and a third one that changes.
#[derive(Debug, Default)]
pub(super) struct Labels {
    text: String,
    /// The length of those that stay.
    kept: usize,
}

impl Labels {
    /// Begins anew with these two.
    pub(super) fn start(&mut self, labels: [(&str, &str); 2]) -> &Self {
        self.text.clear();
        for (name, value) in labels {
            self.push(name, value);
        }
        self.kept = self.text.len();
        self
    }

    /// The two and this one.
    pub(super) fn with(&mut self, name: &str, value: &str) -> &Self {
        self.text.truncate(self.kept);
        self.push(name, value);
        self
    }

    fn push(&mut self, name: &str, value: &str) {
        if !self.text.is_empty() {
            self.text.push(',');
        }
        self.text.extend([name, "=\""]);
        for character in value.chars() {
            match character {
                '"' => self.text.push_str("\\\""),
                '\\' => self.text.push_str("\\\\"),
                '\n' => self.text.push_str("\\n"),
                _ => self.text.push(character),
            }
        }
        self.text.push('"');
    }
}

impl EncodeLabelSet for Labels {
    /// What is written as the name of a label goes out as it is.
    fn encode(&self, encoder: &mut LabelSetEncoder<'_>) -> fmt::Result {
        encoder.encode_label().encode_label_key()?.write_str(&self.text)
    }
}
