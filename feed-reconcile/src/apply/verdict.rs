//! Reading nginx's complaints.

/// The line, from 1, that a complaint of nginx's names in one of these files; as in
/// `unknown directive "x" in /run/feed/nginx.conf:12`.
pub fn line_of(complaint: &str, files: &[&str]) -> Option<usize> {
    files.iter().filter(|file| !file.is_empty()).find_map(|file| {
        complaint.match_indices(file).find_map(|(start, _)| {
            let rest = complaint.get(start + file.len()..)?.strip_prefix(':')?;
            let digits = rest.split(|letter: char| !letter.is_ascii_digit()).next()?;
            digits.parse().ok().filter(|line| *line > 0)
        })
    })
}
