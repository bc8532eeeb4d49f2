use super::PathType::{Exact, ImplementationSpecific, Prefix};
use super::{InvalidPath, PathType, RoutePath, normalise};
use crate::desired::PathMatch;

type Matched = (&'static str, PathMatch);

fn check(path_type: PathType, exact: bool, table: &[(&str, Result<Matched, InvalidPath>)]) {
    for (path, expected) in table {
        let actual = normalise(path, path_type, exact);
        let actual =
            actual.as_ref().map(|(path, path_match)| (path.as_str(), *path_match)).map_err(|error| *error);
        assert_eq!(actual, *expected, "{path:?} of type {path_type:?}, exact-path {exact}");
    }
}

fn exact(path: &'static str) -> Matched {
    (path, PathMatch::Exact)
}

fn prefix(path: &'static str) -> Matched {
    (path, PathMatch::Prefix)
}

fn directory(path: &'static str) -> Matched {
    (path, PathMatch::Directory)
}

#[test]
fn exact_is_as_given_whatever_the_annotation_says() {
    let table = [
        ("/foo", Ok(exact("/foo"))),
        ("/foo/", Ok(exact("/foo/"))),
        ("/", Ok(exact("/"))),
        ("", Ok(exact("/"))),
        ("foo", Err(InvalidPath::NotAbsolute)),
    ];
    check(Exact, false, &table);
    check(Exact, true, &table);
}

#[test]
fn prefix_has_no_slash_at_its_end() {
    let table = [
        ("/foo", Ok(prefix("/foo"))),
        ("/foo/", Ok(prefix("/foo"))),
        ("/foo/bar/", Ok(prefix("/foo/bar"))),
        ("/", Ok(prefix("/"))),
        ("", Ok(prefix("/"))),
        ("foo", Err(InvalidPath::NotAbsolute)),
        ("foo/", Err(InvalidPath::NotAbsolute)),
        ("/foo//", Err(InvalidPath::EmptySegment)),
        ("//", Err(InvalidPath::EmptySegment)),
    ];
    check(Prefix, false, &table);
}

#[test]
fn implementation_specific_has_a_slash_at_both_ends() {
    let table = [
        ("foo", Ok(directory("/foo/"))),
        ("/foo", Ok(directory("/foo/"))),
        ("/foo/", Ok(directory("/foo/"))),
        ("foo/bar", Ok(directory("/foo/bar/"))),
        ("/", Ok(prefix("/"))),
        ("", Ok(prefix("/"))),
        ("//", Err(InvalidPath::EmptySegment)),
        ("foo//", Err(InvalidPath::EmptySegment)),
    ];
    check(ImplementationSpecific, false, &table);
}

#[test]
fn exact_path_takes_the_others_as_given() {
    check(
        Prefix,
        true,
        &[
            ("/foo", Ok(exact("/foo"))),
            ("/foo/", Ok(exact("/foo/"))),
            ("", Ok(exact("/"))),
            ("foo", Err(InvalidPath::NotAbsolute)),
        ],
    );
    check(
        ImplementationSpecific,
        true,
        &[
            ("foo", Ok(exact("/foo"))),
            ("/foo", Ok(exact("/foo"))),
            ("/foo/", Ok(exact("/foo/"))),
            ("", Ok(exact("/"))),
        ],
    );
}

#[test]
fn what_no_request_could_match_is_refused() {
    for path_type in [Exact, Prefix, ImplementationSpecific] {
        let table = [
            ("/a//b", Err(InvalidPath::EmptySegment)),
            ("//a", Err(InvalidPath::EmptySegment)),
            ("/a/./b", Err(InvalidPath::DotSegment)),
            ("/a/../b", Err(InvalidPath::DotSegment)),
            ("/a/..", Err(InvalidPath::DotSegment)),
            ("/.", Err(InvalidPath::DotSegment)),
            ("/../", Err(InvalidPath::DotSegment)),
            ("/a/%2e%2E/b", Err(InvalidPath::DotSegment)),
            ("/a/.%2e", Err(InvalidPath::DotSegment)),
            ("/%2e", Err(InvalidPath::DotSegment)),
            ("/a%2Fb", Err(InvalidPath::EncodedSlash)),
            ("/a%2fb", Err(InvalidPath::EncodedSlash)),
            ("%2Fa", Err(InvalidPath::EncodedSlash)),
        ];
        check(path_type, false, &table);
        check(path_type, true, &table);
    }
}

#[test]
fn dots_within_a_segment_are_fine() {
    check(
        Exact,
        false,
        &[
            ("/.well-known/x", Ok(exact("/.well-known/x"))),
            ("/...", Ok(exact("/..."))),
            ("/a..", Ok(exact("/a.."))),
            ("/a.b/c.", Ok(exact("/a.b/c."))),
        ],
    );
}

#[test]
fn only_pchar_is_taken_as_it_is() {
    check(
        Exact,
        false,
        &[
            ("/-._~!$&'()*+,;=:@", Ok(exact("/-._~!$&'()*+,;=:@"))),
            ("/AZaz09", Ok(exact("/AZaz09"))),
            ("/a b", Err(InvalidPath::Character(' '))),
            ("/a?b", Err(InvalidPath::Character('?'))),
            ("/a#b", Err(InvalidPath::Character('#'))),
            ("/a\\b", Err(InvalidPath::Character('\\'))),
            ("/a\"b", Err(InvalidPath::Character('"'))),
            ("/a{b", Err(InvalidPath::Character('{'))),
            ("/a}b", Err(InvalidPath::Character('}'))),
            ("/a|b", Err(InvalidPath::Character('|'))),
            ("/a^b`", Err(InvalidPath::Character('^'))),
            ("/<a>", Err(InvalidPath::Character('<'))),
            ("/[a]", Err(InvalidPath::Character('['))),
            ("/a\nb", Err(InvalidPath::Character('\n'))),
            ("/a\0b", Err(InvalidPath::Character('\0'))),
            ("/a\tb", Err(InvalidPath::Character('\t'))),
            ("/a\u{7f}", Err(InvalidPath::Character('\u{7f}'))),
            ("/é", Err(InvalidPath::Character('é'))),
            ("/a\"b é", Err(InvalidPath::Character('"'))),
        ],
    );
}

#[test]
fn percent_encoding_is_decoded_once() {
    check(
        Exact,
        false,
        &[
            ("/%41%7a", Ok(exact("/Az"))),
            ("/a%20b", Ok(exact("/a b"))),
            ("/%C3%A9", Ok(exact("/é"))),
            ("/%3F%23", Ok(exact("/?#"))),
            ("/%22%7B%7D%5C%3B%24", Ok(exact("/\"{}\\;$"))),
            ("/%25", Ok(exact("/%"))),
            ("/%252F", Ok(exact("/%2F"))),
            ("/%252e%252e/", Ok(exact("/%2e%2e/"))),
            ("/a%", Err(InvalidPath::Percent)),
            ("/a%2", Err(InvalidPath::Percent)),
            ("/a%zz", Err(InvalidPath::Percent)),
            ("/a%+1", Err(InvalidPath::Percent)),
            ("/a%%41", Err(InvalidPath::Percent)),
        ],
    );
}

#[test]
fn control_bytes_and_broken_utf_8_are_refused() {
    check(
        Exact,
        false,
        &[
            ("/%00", Err(InvalidPath::Control)),
            ("/a%0Ab", Err(InvalidPath::Control)),
            ("/a%0D", Err(InvalidPath::Control)),
            ("/a%1f", Err(InvalidPath::Control)),
            ("/a%7F", Err(InvalidPath::Control)),
            ("/%ff", Err(InvalidPath::NotUtf8)),
            ("/%C3", Err(InvalidPath::NotUtf8)),
            ("/%C0%AF", Err(InvalidPath::NotUtf8)),
            ("/%ED%A0%80", Err(InvalidPath::NotUtf8)),
        ],
    );
}

#[test]
fn the_limit_is_250_bytes_once_decoded_and_normalised() {
    let longest = format!("/{}", "a".repeat(249));
    let encoded = format!("/{}", "%61".repeat(249));
    for path in [&longest, &encoded] {
        assert_eq!(RoutePath::decode(path).unwrap().as_str().len(), RoutePath::MAX_BYTES);
        assert_eq!(RoutePath::decode(&format!("{path}a")), Err(InvalidPath::TooLong));
        assert_eq!(
            normalise(path, ImplementationSpecific, false),
            Err(InvalidPath::TooLong),
            "the last slash counts"
        );
        assert!(normalise(&format!("{path}/"), Prefix, false).is_ok(), "the last slash is taken off");
    }
    let two_bytes_each = format!("/{}", "%C3%A9".repeat(125));
    assert_eq!(RoutePath::decode(&two_bytes_each), Err(InvalidPath::TooLong));
}

#[test]
fn types_are_told_by_their_exact_names() {
    assert_eq!(PathType::new("Exact"), Some(Exact));
    assert_eq!(PathType::new("Prefix"), Some(Prefix));
    assert_eq!(PathType::new("ImplementationSpecific"), Some(ImplementationSpecific));
    for other in ["", "exact", "PREFIX", "Regex", "Prefix "] {
        assert_eq!(PathType::new(other), None);
    }
}

#[test]
fn depth_counts_segments() {
    for (path, depth) in [("/", 0), ("/a", 1), ("/a/", 1), ("/a/b", 2), ("/a/b/", 2)] {
        assert_eq!(RoutePath::decode(path).unwrap().depth(), depth, "{path}");
    }
}
