//! Which known name somebody may have meant.

/// Longer words are not compared: whoever writes them decides how much work that would be.
const LONGEST: usize = 64;

/// The known name that is most like the word; none where none is like it. Case, and `_` for `-`, are no difference.
pub fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    if word.len() > LONGEST {
        return None;
    }
    let word = plain(word);
    let rated = known.into_iter().filter_map(|name| {
        let plain = plain(name);
        let distance = distance(&word, &plain);
        let longer = word.len().max(plain.len());
        // A part of the name is a hint too, though a weaker one than a typing error.
        let is_part = word.len().min(plain.len()) > 2 && (plain.contains(&word) || word.contains(&plain));
        (distance * 3 <= longer || is_part).then_some((distance, name))
    });
    rated.min_by_key(|(distance, _)| *distance).map(|(_, name)| name)
}

fn plain(word: &str) -> String {
    word.to_lowercase().replace('_', "-")
}

/// How many letters must be inserted, removed or replaced.
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (index, letter) in one.chars().enumerate() {
        let mut next = vec![index + 1];
        for (column, (candidate, window)) in other.iter().zip(row.windows(2)).enumerate() {
            let [above_left, above] = window else { continue };
            let left = next.get(column).copied().unwrap_or_default();
            let replaced = above_left + usize::from(*candidate != letter);
            next.push(replaced.min(above + 1).min(left + 1));
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances() {
        for (one, other, expected) in [
            ("", "", 0),
            ("", "abc", 3),
            ("abc", "", 3),
            ("allow", "allowed", 2),
            ("kitten", "sitting", 3),
            ("é", "e", 1),
        ] {
            assert_eq!(distance(one, other), expected, "{one} {other}");
        }
    }

    #[test]
    fn the_most_similar_is_named_if_any_is_similar() {
        let known =
            ["allow", "strip-path", "exact-path", "backend-timeout-seconds", "backend-max-connections"];
        for (word, expected) in [
            ("allowed", Some("allow")),
            ("Allow", Some("allow")),
            ("alow", Some("allow")),
            ("allow-list", Some("allow")),
            ("strip_path", Some("strip-path")),
            ("STRIPPATH", Some("strip-path")),
            ("extract-path", Some("exact-path")),
            ("timeout", Some("backend-timeout-seconds")),
            ("backend-timeout", Some("backend-timeout-seconds")),
            ("colour", None),
            ("", None),
        ] {
            assert_eq!(nearest(word, known), expected, "{word}");
        }
        assert_eq!(nearest(&"allow".repeat(100), known), None);
    }
}
