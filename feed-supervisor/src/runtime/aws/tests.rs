use std::error::Error;
use std::fmt;

use super::*;

#[derive(Debug)]
struct Wrapped(&'static str, Option<Box<Wrapped>>);

impl fmt::Display for Wrapped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl Error for Wrapped {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.1.as_deref().map(|cause| cause as _)
    }
}

#[test]
fn a_failure_without_answer_is_told_with_its_causes_each_once() {
    let refused = Wrapped("Connection refused", None);
    let io = Wrapped("io error: Connection refused", Some(Box::new(refused)));
    assert_eq!(
        chain(&Wrapped("dispatch failure", Some(Box::new(io)))),
        "dispatch failure: io error: Connection refused"
    );
}

#[test]
fn what_is_not_allowed_or_not_there_is_not_tried_again() {
    let error = |code: Option<&str>| CallError {
        operation: "GetHostedZone".to_owned(),
        code: code.map(str::to_owned),
        message: String::new(),
        refused: true,
    };
    assert!(error(Some("NoSuchHostedZone")).is_final());
    assert!(!error(Some("Throttling")).is_final());
    assert!(!error(None).is_final());
}
