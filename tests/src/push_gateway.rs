//! Push gateways: Prometheus's own, and one that fails as the test wants it to.

use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncWriteExt, BufStream};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use crate::client::Request;
use crate::http1::{read_body, read_head};
use crate::sandbox::Sandbox;
use crate::{eventually, free_port, tools};

/// Prometheus's push gateway.
#[derive(Debug)]
pub struct PushGateway {
    port: u16,
    _sandbox: Sandbox,
}

impl PushGateway {
    /// Starts one; `None` when it cannot be had.
    pub async fn start() -> Option<Self> {
        let program = tools::prometheus_folder()?.join("prometheus-pushgateway");
        let (sandbox, port) = (Sandbox::new("push-gateway"), free_port());
        let mut command = sandbox.command(program);
        command.arg(format!("--web.listen-address=127.0.0.1:{port}"));
        sandbox.spawn(command.stderr(File::create(sandbox.join("log")).unwrap()));
        let gateway = Self { port, _sandbox: sandbox };
        eventually("the push gateway is ready", async || {
            let response = Request::get("localhost", "/-/ready").send(gateway.address()).await;
            response.map_err(|error| error.to_string()).and_then(|response| match response.status {
                200 => Ok(()),
                status => Err(status.to_string()),
            })
        })
        .await;
        Some(gateway)
    }

    /// Its URL.
    pub fn url(&self) -> String {
        format!("http://{}", self.address())
    }

    /// What it gives to Prometheus, as text.
    pub async fn metrics(&self) -> String {
        Request::get("localhost", "/metrics").send(self.address()).await.unwrap().text()
    }

    fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }
}

/// A push gateway that answers as it is told to.
#[derive(Debug)]
pub struct ScriptedGateway {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
    serving: JoinHandle<()>,
}

#[derive(Debug)]
struct State {
    /// None: it keeps silent.
    answer: Option<(u16, &'static str)>,
    pushes: Vec<(String, String)>,
}

impl ScriptedGateway {
    /// One that gives this status and text for an answer, or none at all.
    pub async fn start(answer: Option<(u16, &'static str)>) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(Mutex::new(State { answer, pushes: Vec::new() }));
        let serving = tokio::spawn(serve(listener, Arc::clone(&state)));
        Self { address, state, serving }
    }

    /// Its URL.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Answers otherwise from now on.
    pub fn answer(&self, status: u16, text: &'static str) {
        self.state.lock().unwrap().answer = Some((status, text));
    }

    /// The first line and the body of every push so far.
    pub fn pushes(&self) -> Vec<(String, String)> {
        self.state.lock().unwrap().pushes.clone()
    }

    /// Waits until there were so many more pushes.
    #[track_caller]
    pub fn wait_pushes(&self, more: usize) -> impl Future<Output = ()> {
        let expected = self.pushes().len() + more;
        eventually(&format!("{more} more pushes"), async move || match self.pushes().len() {
            pushes if pushes >= expected => Ok(()),
            pushes => Err(pushes),
        })
    }
}

impl Drop for ScriptedGateway {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn serve(listener: TcpListener, state: Arc<Mutex<State>>) {
    while let Ok((stream, _)) = listener.accept().await {
        let state = Arc::clone(&state);
        tokio::spawn(async move { converse(stream, &state).await.ok() });
    }
}

async fn converse(stream: TcpStream, state: &Mutex<State>) -> std::io::Result<()> {
    let mut stream = BufStream::new(stream);
    while let Some(head) = read_head(&mut stream).await? {
        let body = read_body(&mut stream, &head, false).await?;
        let answer = {
            let mut state = state.lock().unwrap();
            state.pushes.push((head.first_line, String::from_utf8(body.bytes).unwrap()));
            state.answer
        };
        let Some((status, text)) = answer else { return std::future::pending().await };
        let length = text.len();
        let answer = format!("HTTP/1.1 {status} Answer\r\nContent-Length: {length}\r\n\r\n{text}");
        stream.write_all(answer.as_bytes()).await?;
        stream.flush().await?;
    }
    Ok(())
}
