use super::*;

/// The documents: where each begins, how it is written, and its text.
fn documents(text: &str, named: Syntax) -> Vec<(usize, usize, Syntax, &str)> {
    let documents = split(text, named).into_iter();
    let show = |it: Text<'_>| {
        assert_eq!(text.get(it.range.clone()), Some(it.text));
        assert_eq!(it.range.start, it.begin.offset);
        (it.begin.line, it.begin.column, it.syntax)
    };
    let texts: Vec<&str> = split(text, named).into_iter().map(|it| it.text).collect();
    documents
        .map(show)
        .zip(texts)
        .map(|((line, column, syntax), text)| (line, column, syntax, text))
        .collect()
}

#[test]
fn documents_are_split_at_their_marks() {
    let lines = |text| -> Vec<(usize, &str)> {
        split(text, Syntax::Yaml).into_iter().map(|part| (part.begin.line, part.text)).collect()
    };
    assert_eq!(lines("a: 1\n"), [(1, "a: 1\n")]);
    assert_eq!(lines("---\na: 1\n---\nb: 2"), [(2, "a: 1\n"), (4, "b: 2")]);
    assert_eq!(
        lines("# c\n\n---  # d\na: 1\n--- \n---\r\nb: 2\n---\n"),
        [(3, "---  # d\na: 1\n"), (7, "b: 2\n")]
    );
    assert_eq!(lines("%YAML 1.2\n--- {a: 1}\n...\n"), [(2, "--- {a: 1}\n...\n")]);
    assert_eq!(lines("a: |\n  ---\n----\n"), [(1, "a: |\n  ---\n----\n")]);
    assert_eq!(lines("\u{feff}a: 1\n"), [(1, "a: 1\n")]);
    assert_eq!(lines("# nothing\n"), []);
}

#[test]
fn json_objects_stand_one_after_the_other() {
    for named in [Syntax::Json, Syntax::Yaml] {
        assert_eq!(
            documents("{\"a\": 1}{\"b\": 2} {\"\u{e9}\": [{}]}\r\n\r\n  {\"d\":\n4}\n", named),
            [
                (1, 1, Syntax::Json, "{\"a\": 1}"),
                (1, 9, Syntax::Json, "{\"b\": 2}"),
                (1, 18, Syntax::Json, "{\"\u{e9}\": [{}]}"),
                (3, 3, Syntax::Json, "{\"d\":\n4}"),
            ]
        );
        assert_eq!(
            documents("\u{feff}{}\n---\n{}{}\n", named),
            [(1, 1, Syntax::Json, "{}"), (3, 1, Syntax::Json, "{}"), (3, 3, Syntax::Json, "{}")]
        );
        assert_eq!(
            documents("{}\n{\"a\": }\n{}\n", named),
            [(1, 1, Syntax::Json, "{}"), (2, 1, Syntax::Json, "{\"a\": }\n{}\n")],
            "what follows a fault cannot be told apart"
        );
    }
}

#[test]
fn the_content_decides_more_than_the_name() {
    assert_eq!(documents("{a: 1}\n", Syntax::Yaml), [(1, 1, Syntax::Yaml, "{a: 1}\n")]);
    assert_eq!(documents("{a: 1}\n", Syntax::Json), [(1, 1, Syntax::Json, "{a: 1}\n")]);
    assert_eq!(documents("a: 1\n", Syntax::Json), [(1, 1, Syntax::Yaml, "a: 1\n")]);
    assert_eq!(documents("", Syntax::Json), [(1, 1, Syntax::Json, "")]);
    assert_eq!(documents("", Syntax::Yaml), []);
}
