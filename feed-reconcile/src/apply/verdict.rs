//! Reading nginx's complaints.

/// Where a complaint of nginx's points to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// This line, from 1, of one of the files asked about.
    Line(usize),
    /// A line of another file.
    Elsewhere,
}

/// Where a complaint of nginx's points to, if it names a line at all; as in
/// `unknown directive "x" in /run/feed/nginx.conf:12`.
pub fn place_of(complaint: &str, files: &[&str]) -> Option<Place> {
    if let Some(line) = line_of(complaint, files) {
        return Some(Place::Line(line));
    }
    let (_, place) = complaint.rsplit_once(" in /")?;
    let (_, line) = place.split_whitespace().next()?.rsplit_once(':')?;
    line.parse::<usize>().ok().map(|_| Place::Elsewhere)
}

fn line_of(complaint: &str, files: &[&str]) -> Option<usize> {
    files.iter().filter(|file| !file.is_empty()).find_map(|file| {
        complaint.match_indices(file).find_map(|(start, _)| {
            let rest = complaint.get(start + file.len()..)?.strip_prefix(':')?;
            let digits = rest.split(|letter: char| !letter.is_ascii_digit()).next()?;
            digits.parse().ok().filter(|line| *line > 0)
        })
    })
}
