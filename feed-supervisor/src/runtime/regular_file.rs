//! Reading regular files, and nothing else.

use std::fs::OpenOptions;
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use rustix::fs::OFlags;

/// Reads a file, which must be a regular one: the end of a FIFO or a device may never come. Opening one does not wait either.
pub(crate) fn read_regular(path: &Path) -> io::Result<Vec<u8>> {
    let flags = i32::try_from(OFlags::NONBLOCK.bits()).unwrap_or_default();
    let mut file = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
    if !file.metadata()?.is_file() {
        return Err(not_regular());
    }
    let mut content = Vec::new();
    file.read_to_end(&mut content)?;
    Ok(content)
}

/// Why something else than a regular file is not read.
pub(crate) fn not_regular() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, "it is no regular file")
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn only_regular_files_are_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        fs::write(path("file"), "text").unwrap();
        std::os::unix::fs::symlink("file", path("link")).unwrap();
        nix::unistd::mkfifo(&path("fifo"), nix::sys::stat::Mode::S_IRWXU).unwrap();
        std::os::unix::fs::symlink("/dev/zero", path("zeros")).unwrap();
        assert_eq!(read_regular(&path("file")).unwrap(), b"text");
        assert_eq!(read_regular(&path("link")).unwrap(), b"text");
        for name in ["fifo", "zeros", "."] {
            assert_eq!(read_regular(&path(name)).unwrap_err().to_string(), "it is no regular file", "{name}");
        }
        assert_eq!(read_regular(&path("none")).unwrap_err().kind(), io::ErrorKind::NotFound);
    }
}
