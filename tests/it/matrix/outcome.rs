//! What may become of a request.

use feed_tests::Response;

/// One of the outcomes that a row of the matrix allows.
pub(super) enum Outcome<'a> {
    Status(u16),
    Redirect(&'a str),
    Backend { name: &'a str, target: &'a str },
}

impl<'a> Outcome<'a> {
    pub(super) fn parse(text: &'a str) -> Self {
        match (text.split_once(' '), text.parse()) {
            (None, Ok(status)) => Self::Status(status),
            (Some(("redirect", location)), _) => Self::Redirect(location),
            (Some((name, target)), _) => Self::Backend { name, target },
            _ => panic!("not an outcome: {text}"),
        }
    }

    pub(super) fn is(&self, response: &Response) -> bool {
        match *self {
            Self::Status(status) => response.status == status,
            Self::Redirect(location) => {
                matches!(response.status, 301 | 302 | 307 | 308)
                    && response.header("location") == Some(location)
            }
            Self::Backend { name, target } => {
                let echo = (response.status == 200).then(|| response.echo());
                echo.is_some_and(|echo| echo.backend == name && echo.target == target)
            }
        }
    }
}
