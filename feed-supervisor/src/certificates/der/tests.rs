use super::*;

fn strict(bytes: &[u8]) -> bool {
    is_strict(bytes)
}

#[test]
fn values_in_their_only_form() {
    for valid in [
        b"\x30\x00".as_slice(),
        b"\x31\x03\x02\x01\x00",
        b"\x02\x01\x80",
        b"\x02\x02\x00\x80",
        b"\x02\x02\xff\x7f",
        b"\x01\x01\xff",
        b"\x03\x01\x00",
        b"\x03\x02\x04\xf0",
        b"\x04\x00",
        b"\x05\x00",
        b"\x06\x03\x2b\x65\x70",
        b"\x0c\x02\xc3\xa4",
        b"\x13\x01a",
        b"\x14\x01\xe4",
        b"\x17\x0d240101000000Z",
        b"\x18\x0f20240101000000Z",
        b"\x1e\x02\x00a",
        b"\xa3\x02\x05\x00",
    ] {
        assert!(strict(valid), "{valid:02x?}");
    }
    let long = [b"\x04\x81\x80".as_slice(), &[0; 128]].concat();
    assert!(strict(&long));
}

#[test]
fn everything_else() {
    for broken in [
        b"".as_slice(),
        b"\x30",
        b"\x30\x01",
        b"\x30\x00\x00",
        b"\x30\x80\x00\x00",     // without a length
        b"\x30\x81\x00",         // a length of two bytes where one would do
        b"\x04\x82\x00\x01\x00", // with a zero at the front
        b"\x02\x00",
        b"\x02\x02\x00\x7f",
        b"\x02\x02\xff\x80",
        b"\x01\x01\x01",
        b"\x01\x00",
        b"\x03\x00",
        b"\x03\x01\x01",
        b"\x03\x02\x08\x00",
        b"\x03\x02\x04\xff",
        b"\x05\x01\x00",
        b"\x06\x00",
        b"\x06\x02\x2b\x80",
        b"\x06\x03\x2b\x80\x01",
        b"\x0c\x01\xc3",
        b"\x13\x01\xe4",
        b"\x17\x0c240101000000",
        b"\x17\x0d24010100000aZ",
        b"\x18\x0d240101000000Z",
        b"\x1e\x01a",
        b"\x1e\x02\xd8\x00",
        b"\x1c\x00",
        b"\x81\x01\x00",
        b"\x1f\x81\x00\x00",
        b"\x24\x02\x04\x00",
    ] {
        assert!(!strict(broken), "{broken:02x?}");
    }
}

#[test]
fn values_may_not_lie_too_deep() {
    let nested = |depth: usize| {
        let mut value = Vec::new();
        for _ in 0..depth {
            let inner = value.clone();
            value = made_of(tag::SEQUENCE, &[&inner]);
        }
        value
    };
    assert!(strict(&nested(DEPTH)));
    assert!(!strict(&nested(DEPTH + 2)));
}

#[test]
fn what_is_written_is_strict() {
    for length in [0, 1, 127, 128, 255, 256, 65_535, 65_536] {
        let contents = vec![7; length];
        let made = made_of(tag::OCTET_STRING, &[&contents]);
        assert!(strict(&made), "{length}");
        assert_eq!(Reader(&made).contents(tag::OCTET_STRING), Some(contents.as_slice()));
    }
}
