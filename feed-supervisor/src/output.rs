//! Printing for a reader who may leave.

use std::io::{self, ErrorKind, Write};

/// Writes until the reader has closed its end, as `head` does; what is written after that is dropped.
#[derive(Debug)]
pub struct UntilClosed<W> {
    /// `None` once the reader is gone.
    writer: Option<W>,
}

impl<W> UntilClosed<W> {
    /// Writes to that.
    pub fn new(writer: W) -> Self {
        Self { writer: Some(writer) }
    }
}

impl<W: Write> Write for UntilClosed<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let Some(writer) = &mut self.writer else { return Ok(bytes.len()) };
        match writer.write(bytes) {
            Err(error) if error.kind() == ErrorKind::BrokenPipe => {
                self.writer = None;
                Ok(bytes.len())
            }
            written => written,
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self.writer.as_mut().map(Write::flush) {
            Some(Err(error)) if error.kind() == ErrorKind::BrokenPipe => {
                self.writer = None;
                Ok(())
            }
            flushed => flushed.unwrap_or(Ok(())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_who_leaves_is_no_error() {
        let (reader, writer) = io::pipe().unwrap();
        let mut out = UntilClosed::new(writer);
        out.write_all(b"heard").unwrap();
        drop(reader);
        for _ in 0..2 {
            out.write_all(b"unheard").unwrap();
            out.flush().unwrap();
        }
    }

    #[test]
    fn other_errors_are_told() {
        let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        assert!(UntilClosed::new(full).write_all(b"text").is_err());
    }
}
