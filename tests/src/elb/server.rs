//! Its HTTP.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::io::{AsyncWriteExt, BufStream};
use tokio::net::{TcpListener, TcpStream};

use super::answer::{Form, answer, error};
use super::state::State;
use super::{ElbCall, ElbFault};
use crate::http1::{read_body, read_head};

pub(super) async fn serve(listener: TcpListener, state: Arc<Mutex<State>>) {
    while let Ok((stream, _)) = listener.accept().await {
        let state = Arc::clone(&state);
        tokio::spawn(async move { converse(stream, &state).await.ok() });
    }
}

async fn converse(stream: TcpStream, state: &Mutex<State>) -> std::io::Result<()> {
    let mut stream = BufStream::new(stream);
    while let Some(head) = read_head(&mut stream).await? {
        let body = read_body(&mut stream, &head, false).await?;
        let form = Form::parse(std::str::from_utf8(&body.bytes).unwrap());
        // Credential=KEY/DATE/REGION/SERVICE/aws4_request
        let region = head.header("authorization").and_then(|it| it.split('/').nth(2)).unwrap_or_default();
        let key = head.header("authorization").and_then(|it| it.split(['=', '/']).nth(1)).unwrap_or_default();
        let (late, status, text) = state.lock().unwrap().answer(&form, region, key);
        tokio::time::sleep(late).await;
        let length = text.len();
        let text = format!(
            "HTTP/1.1 {status} Answer\r\nContent-Type: text/xml\r\nContent-Length: {length}\r\n\r\n{text}"
        );
        stream.write_all(text.as_bytes()).await?;
        stream.flush().await?;
    }
    Ok(())
}

impl State {
    /// The answer: how late it comes, its status and its body.
    fn answer(&mut self, form: &Form, region: &str, key: &str) -> (Duration, u16, String) {
        let subjects: Vec<String> = form.names().into_iter().chain(form.subject()).collect();
        let fault = self.fault(form.operation(), &subjects);
        let (status, text) = match fault {
            _ if self.refused_keys.contains(key) => (403, error("ExpiredToken", "The token has expired")),
            Some(ElbFault::Error(status, code)) => (status, error(code, "as the test asked for")),
            Some(ElbFault::Late(_)) | None => match answer(self, form) {
                Ok(text) => (200, text),
                Err((code, message)) => (400, error(code, &message)),
            },
        };
        self.calls.push_back(ElbCall {
            operation: form.operation().to_owned(),
            classic: form.is_classic(),
            subject: form.subject(),
            names: form.names().len(),
            goes_on: form.goes_on(),
            region: region.to_owned(),
            key: key.to_owned(),
            status,
            at: Instant::now(),
        });
        let late = if let Some(ElbFault::Late(late)) = fault { late } else { Duration::ZERO };
        (late, status, text)
    }
}
