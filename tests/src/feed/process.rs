//! Its process, nginx's processes and its files.

use std::ffi::OsString;
use std::fs::{self, File};
use std::path::PathBuf;
use std::process::ExitStatus;
use std::time::Duration;

use nix::sys::signal::Signal;

use super::Feed;
use crate::eventually_within;
use crate::nginx::NginxBinary;
use crate::process::{Process, processes_in, title_of};
use crate::sandbox::Sandbox;

use super::FeedBuilder;

impl Feed {
    /// See [`FeedBuilder::new`].
    pub fn builder(nginx: &NginxBinary) -> FeedBuilder {
        FeedBuilder::new(nginx)
    }

    /// Starts the process, also again after its end: with the same flags, files and ports.
    pub fn start(&mut self) {
        let log = File::options().create(true).append(true).open(self.log_file()).unwrap();
        let mut words = self.through.iter().map(OsString::from).chain([self.binary.clone().into()]);
        let mut command = self.sandbox.command(words.next().unwrap());
        command
            .args(words)
            .args(&self.arguments)
            .envs(self.environment.iter().map(|(name, value)| (name, value)));
        let child = command.stdout(log.try_clone().unwrap()).stderr(log).spawn().unwrap();
        self.child = Some(child);
    }

    /// More arguments, for the next start.
    pub fn add_arguments(&mut self, arguments: &[&str]) {
        self.arguments.extend(arguments.iter().map(|argument| (*argument).to_owned()));
    }

    /// Another value, for the next start.
    pub fn replace_argument(&mut self, old: &str, new: &str) {
        let argument = self.arguments.iter_mut().find(|argument| *argument == old).unwrap();
        new.clone_into(argument);
    }

    /// Runs another subcommand with the same flags to its end, for instance `bootstrap`.
    pub fn run(&self, subcommand: &str) -> std::process::Output {
        let mut command = self.sandbox.command(&self.binary);
        command.arg(subcommand).args(&self.arguments[1..]).output().unwrap()
    }

    /// The process of `feed-ingress`.
    pub fn process(&self) -> Process {
        Process::of(self.child.as_ref().unwrap())
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) {
        self.process().signal(signal);
    }

    /// Ends `feed-ingress`, not its nginx, with SIGKILL.
    pub fn kill(&mut self) {
        let mut child = self.child.take().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// Waits for its end.
    pub async fn wait_exit(&mut self, deadline: Duration) -> ExitStatus {
        let mut child = self.child.take().unwrap();
        let log = self.log_file();
        eventually_within(deadline, "feed-ingress ends", async || {
            child.try_wait().unwrap().ok_or_else(|| read(&log))
        })
        .await
    }

    /// What it wrote to its standard output and standard error since its first start.
    pub fn log(&self) -> String {
        read(&self.log_file())
    }

    /// The sandbox, in which other processes of the test may run as well.
    pub fn sandbox(&self) -> &Sandbox {
        &self.sandbox
    }

    /// `--nginx-workdir`.
    pub fn workdir(&self) -> PathBuf {
        self.sandbox.join("workdir")
    }

    /// Writes a manifest in one step, as an editor does that renames.
    pub fn write_manifest(&self, file: &str, yaml: &str) {
        let part = self.sandbox.join(format!(".{file}.part"));
        fs::write(&part, yaml).unwrap();
        fs::rename(part, self.sandbox.join("manifests").join(file)).unwrap();
    }

    /// Removes a manifest.
    pub fn remove_manifest(&self, file: &str) {
        fs::remove_file(self.sandbox.join("manifests").join(file)).unwrap();
    }

    /// The configuration that nginx reads.
    pub fn configuration(&self) -> String {
        fs::read_to_string(self.workdir().join("nginx.conf")).unwrap()
    }

    /// The running masters of nginx: one, if all is well.
    pub fn nginx_masters(&self) -> Vec<Process> {
        self.processes_titled("nginx: master process")
    }

    /// The one master.
    pub fn nginx_master(&self) -> Process {
        match self.nginx_masters()[..] {
            [master] => master,
            ref masters => panic!("one master of nginx expected: {masters:?}\n{}", self.log()),
        }
    }

    /// The workers that accept connections, whoever their master is.
    pub fn nginx_workers(&self) -> Vec<Process> {
        let mut workers = self.processes_titled("nginx: worker process");
        workers.retain(|worker| !title_of(*worker).contains("shutting down"));
        workers
    }

    fn processes_titled(&self, title: &str) -> Vec<Process> {
        let mut processes = processes_in(self.sandbox.path());
        processes.retain(|process| title_of(*process).starts_with(title));
        processes
    }

    fn log_file(&self) -> PathBuf {
        self.sandbox.join("feed.log")
    }
}

impl Drop for Feed {
    fn drop(&mut self) {
        if std::thread::panicking() {
            // The output of a failed test is shown with its panic.
            #[expect(clippy::print_stderr, reason = "goes to the test runner")]
            {
                eprintln!("feed-ingress {}\n{}", self.arguments.join(" "), self.log());
            }
        }
        if let Some(child) = &mut self.child
            && child.kill().is_ok()
        {
            child.wait().ok();
        }
    }
}

fn read(log: &std::path::Path) -> String {
    fs::read_to_string(log).unwrap_or_default()
}
