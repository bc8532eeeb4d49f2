use proptest::prelude::*;

use super::*;

const LINE: &str = "bee08936a8e50fc7\ta.example.com\t200\t120\t345\t1.005\t10.0.0.1:80\t200\t130\t330";

fn parse(line: &str) -> Option<Record<'_>> {
    Record::parse(line.as_bytes())
}

fn attempts(line: &str) -> Vec<(&str, Option<u16>, u64, u64)> {
    let attempts = parse(line).unwrap().attempts();
    attempts.map(|attempt| (attempt.address, attempt.status, attempt.sent, attempt.received)).collect()
}

#[test]
fn a_line_is_read() {
    let record = parse(LINE).unwrap();
    assert_eq!(record.mark.unwrap().to_string(), "bee08936a8e50fc7");
    assert_eq!(
        (record.host, record.status, record.received, record.sent),
        (Some("a.example.com"), 200, 120, 345)
    );
    assert_eq!(record.time, Duration::from_millis(1005));
    assert_eq!(attempts(LINE), [("10.0.0.1:80", Some(200), 130, 330)]);
}

#[test]
fn what_is_not_there_is_not_there() {
    let record = parse("\t\t000\t0\t0\t0.000\t-\t-\t-\t-").unwrap();
    assert_eq!((record.mark, record.host, record.status), (None, None, 0));
    assert_eq!(record.attempts().count(), 0);
}

#[test]
fn every_endpoint_that_was_asked_is_told() {
    let upstream = "10.0.0.1:80, [fd00::1]:80 : 10.0.0.3:80\t502, - : 200\t0, 130 : 131\t0, 0 : 99";
    let line = format!("bee08936a8e50fc7\ta\t200\t1\t2\t0.001\t{upstream}");
    let expected = [
        ("10.0.0.1:80", Some(502), 0, 0),
        ("[fd00::1]:80", None, 130, 0),
        ("10.0.0.3:80", Some(200), 131, 99),
    ];
    assert_eq!(attempts(&line), expected);
}

#[test]
fn what_is_none_of_ours_is_refused() {
    let fields: Vec<&str> = LINE.split('\t').collect();
    for index in 0..fields.len() {
        let without: Vec<&str> =
            fields.iter().enumerate().filter(|(at, _)| *at != index).map(|(_, field)| *field).collect();
        assert_eq!(parse(&without.join("\t")), None, "without field {index}");
    }
    for (index, wrong) in [
        (0, "bee08936a8e50fc"),
        (0, "+ee08936a8e50fc7"),
        (0, "bee08936a8e50fcg"),
        (2, "70000"),
        (2, "2x0"),
        (3, "-1"),
        (4, "18446744073709551616"),
        (5, "1"),
        (5, "1.05"),
        (5, "18446744073709551616.000"),
    ] {
        let mut fields = fields.clone();
        fields[index] = wrong;
        assert_eq!(parse(&fields.join("\t")), None, "{wrong}");
    }
    assert_eq!(parse(&format!("{LINE}\t1")), None);
    assert_eq!(Record::parse(b""), None);
    assert_eq!(Record::parse(&[LINE.as_bytes(), b"\xff"].concat()), None);
}

proptest! {
    #[test]
    fn no_bytes_do_harm(line in proptest::collection::vec(any::<u8>(), 0..200)) {
        if let Some(record) = Record::parse(&line) {
            prop_assert!(record.attempts().count() <= line.len());
        }
    }

    /// Values as nginx writes them: printable ASCII, everything else escaped.
    #[test]
    fn no_host_is_taken_for_another_field(host in "[ -~]{0,40}") {
        let line = format!("bee08936a8e50fc7\t{host}\t404\t1\t2\t0.000\t-\t-\t-\t-");
        let record = Record::parse(line.as_bytes()).unwrap();
        prop_assert_eq!(record.host.unwrap_or_default(), if host == "-" { "" } else { &host });
        prop_assert_eq!(record.status, 404);
    }
}
