//! HTTP/1.1 messages, read without changing anything about them.

use std::io;

use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncRead, AsyncReadExt};

/// Header fields in the order and spelling in which they came.
pub(crate) type Headers = Vec<(String, String)>;

/// The first line and the header fields of a message.
#[derive(Debug)]
pub(crate) struct Head {
    pub(crate) first_line: String,
    pub(crate) headers: Headers,
}

impl Head {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        find(&self.headers, name)
    }

    fn is_chunked(&self) -> bool {
        self.header("transfer-encoding").is_some_and(|coding| coding.eq_ignore_ascii_case("chunked"))
    }
}

/// The body of a message and what follows a chunked one.
#[derive(Debug, Default)]
pub(crate) struct Body {
    pub(crate) bytes: Vec<u8>,
    pub(crate) trailers: Headers,
}

pub(crate) fn find<'a>(headers: &'a Headers, name: &str) -> Option<&'a str> {
    headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
}

/// Reads up to the empty line. `None`: the peer closed the connection instead of beginning a message.
pub(crate) async fn read_head(stream: &mut (impl AsyncBufRead + Unpin)) -> io::Result<Option<Head>> {
    let Some(first_line) = read_line(stream).await? else { return Ok(None) };
    Ok(Some(Head { first_line, headers: read_headers(stream).await? }))
}

/// Reads a body whose end the head tells; `until_closed` when it tells none.
pub(crate) async fn read_body(
    stream: &mut (impl AsyncBufRead + Unpin),
    head: &Head,
    until_closed: bool,
) -> io::Result<Body> {
    let mut body = Body::default();
    if head.is_chunked() {
        while let Some(size) = read_chunk_size(stream).await? {
            read_exactly(stream, size, &mut body.bytes).await?;
            read_line(stream).await?;
        }
        body.trailers = read_headers(stream).await?;
    } else if let Some(length) = head.header("content-length") {
        let length = length.parse().map_err(|_| malformed("content-length", length))?;
        read_exactly(stream, length, &mut body.bytes).await?;
    } else if until_closed {
        stream.read_to_end(&mut body.bytes).await?;
    }
    Ok(body)
}

async fn read_exactly(
    stream: &mut (impl AsyncRead + Unpin),
    length: u64,
    into: &mut Vec<u8>,
) -> io::Result<()> {
    let read = stream.take(length).read_to_end(into).await?;
    if read as u64 == length { Ok(()) } else { Err(cut_off()) }
}

/// The size of the next chunk; `None` after the last.
async fn read_chunk_size(stream: &mut (impl AsyncBufRead + Unpin)) -> io::Result<Option<u64>> {
    let line = read_line(stream).await?.ok_or_else(cut_off)?;
    let size = u64::from_str_radix(&line, 16).map_err(|_| malformed("chunk size", &line))?;
    Ok((size > 0).then_some(size))
}

async fn read_headers(stream: &mut (impl AsyncBufRead + Unpin)) -> io::Result<Headers> {
    let mut headers = Headers::new();
    loop {
        let line = read_line(stream).await?.ok_or_else(cut_off)?;
        if line.is_empty() {
            return Ok(headers);
        }
        let (name, value) = line.split_once(':').ok_or_else(|| malformed("header field", &line))?;
        headers.push((name.to_owned(), value.trim().to_owned()));
    }
}

/// A line without its end; `None` at the end of the stream. Bytes that are no UTF-8 are replaced.
async fn read_line(stream: &mut (impl AsyncBufRead + Unpin)) -> io::Result<Option<String>> {
    let mut line = Vec::new();
    stream.read_until(b'\n', &mut line).await?;
    if line.is_empty() {
        return Ok(None);
    }
    if line.pop() != Some(b'\n') {
        return Err(cut_off());
    }
    if line.last() == Some(&b'\r') {
        line.pop();
    }
    Ok(Some(String::from_utf8_lossy(&line).into_owned()))
}

fn cut_off() -> io::Error {
    io::Error::new(io::ErrorKind::UnexpectedEof, "the connection was closed within a message")
}

fn malformed(what: &str, text: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("malformed {what}: {text:?}"))
}
