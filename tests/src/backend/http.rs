//! HTTP/1.1.

use std::io;
use std::sync::atomic::Ordering;

use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, BufStream};

use super::{Answering, Echo};
use crate::http1::{Head, read_body, read_head};

/// Answers one request after another until the client leaves.
pub(super) async fn converse(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    answering: &Answering,
    server_name: Option<String>,
) -> io::Result<()> {
    let mut stream = BufStream::new(stream);
    while let Some(head) = read_head(&mut stream).await? {
        answering.counts.requests.fetch_add(1, Ordering::Relaxed);
        if let Some(protocol) = head.header("upgrade") {
            let switch = format!(
                "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: {protocol}\r\n\r\n"
            );
            stream.write_all(switch.as_bytes()).await?;
            stream.flush().await?;
            return send_back(stream).await;
        }
        let body = read_body(&mut stream, &head, false).await?;
        match head.header("x-answer-fault") {
            Some("close") => return Ok(()),
            Some("silence") => std::future::pending().await,
            _ => {}
        }
        let echo = echo(&head, body.bytes.len(), answering, server_name.clone());
        let answer = answer(&head, &echo);
        let at_once = if head.header("x-answer-hold").is_some() { answer.len() - 100 } else { answer.len() };
        stream.write_all(&answer[..at_once]).await?;
        stream.flush().await?;
        if at_once < answer.len() {
            answering.counts.held.acquire().await.unwrap().forget();
            stream.write_all(&answer[at_once..]).await?;
            stream.flush().await?;
        }
    }
    Ok(())
}

async fn send_back(stream: impl AsyncRead + AsyncWrite + Unpin) -> io::Result<()> {
    let (mut from, mut to) = tokio::io::split(stream);
    let mut buffer = vec![0; 4096];
    loop {
        match tokio::io::AsyncReadExt::read(&mut from, &mut buffer).await? {
            0 => return Ok(()),
            length => {
                to.write_all(&buffer[..length]).await?;
                to.flush().await?;
            }
        }
    }
}

fn echo(head: &Head, body_length: usize, answering: &Answering, server_name: Option<String>) -> Echo {
    let mut words = head.first_line.splitn(2, ' ');
    let method = words.next().unwrap_or_default().to_owned();
    let (target, version) = words.next().and_then(|rest| rest.rsplit_once(' ')).unwrap_or_default();
    Echo {
        backend: answering.backend.clone(),
        method,
        target: target.to_owned(),
        version: version.to_owned(),
        headers: head.headers.clone(),
        body_length,
        connection: answering.connection,
        server_name,
    }
}

fn answer(head: &Head, echo: &Echo) -> Vec<u8> {
    let body = serde_json::to_vec(echo).unwrap();
    let status = head.header("x-answer-status").unwrap_or("200");
    let mut answer = format!("HTTP/1.1 {status} Answer\r\nContent-Length: {}\r\n", body.len());
    for (name, value) in &head.headers {
        match name.to_ascii_lowercase().strip_prefix("x-answer-") {
            None | Some("status" | "hold" | "fault") => {}
            Some(field) => answer.extend([field, ": ", value, "\r\n"]),
        }
    }
    answer.push_str("\r\n");
    let mut answer = answer.into_bytes();
    if echo.method != "HEAD" {
        answer.extend(body);
    }
    answer
}
