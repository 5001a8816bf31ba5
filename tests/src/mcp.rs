//! A client of the Model Context Protocol on standard streams, as agents start one: a process, a line for each message.
//!
//! Knows JSON-RPC and the first exchange, and nothing of the tools.

use serde_json::{Value, json};
use std::{
    cell::Cell,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    path::Path,
    process::{Child, ChildStdin, Command, ExitStatus, Stdio},
    sync::mpsc::{self, Receiver},
    thread,
    time::Duration,
};

/// A running server; dropping it kills the process.
#[derive(Debug)]
pub struct McpServer {
    child: Child,
    input: Option<ChildStdin>,
    lines: Receiver<String>,
    id_last: Cell<u64>,
}

impl McpServer {
    /// Starts `program mcp` for the daemon of `cache_dir`; says nothing to it yet.
    ///
    /// # Panics
    ///
    /// If the program cannot be run.
    pub fn spawn(program: &Path, cache_dir: &Path) -> Self {
        let mut command = Command::new(program);
        command.arg("mcp").arg("--cache-dir").arg(cache_dir).env_clear();
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the program under test is there and may be run");
        let output = BufReader::new(child.stdout.take().expect("it was asked to be piped"));
        let (line, lines) = mpsc::channel();
        thread::spawn(move || output.lines().map_while(Result::ok).try_for_each(|text| line.send(text)));
        let input = child.stdin.take();
        Self { child, input, lines, id_last: Cell::new(0) }
    }

    /// The same, after the first exchange.
    ///
    /// # Panics
    ///
    /// As [`Self::spawn`], and if the server does not answer as the protocol has it.
    pub fn start(program: &Path, cache_dir: &Path) -> Self {
        let mut server = Self::spawn(program, cache_dir);
        let about = server.initialize();
        assert_eq!(about["serverInfo"]["name"], "fleet-cache", "{about:#}");
        server
    }

    /// The first exchange. Returns what the server says of itself.
    ///
    /// # Panics
    ///
    /// If it does not answer.
    pub fn initialize(&mut self) -> Value {
        let client = json!({ "name": "test", "version": "0" });
        let offer = json!({ "protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": client });
        let about = self.request("initialize", &offer)["result"].clone();
        self.write(&json!({ "jsonrpc": "2.0", "method": "notifications/initialized" }).to_string());
        about
    }

    /// Writes `line` as it is.
    ///
    /// # Panics
    ///
    /// If the server does not take it.
    pub fn write(&mut self, line: &str) {
        let input = self.input.as_mut().expect("the input was not ended");
        writeln!(input, "{line}").expect("the server reads");
    }

    /// Sends a request and does not wait. Returns its number.
    ///
    /// # Panics
    ///
    /// As [`Self::write`].
    pub fn send(&mut self, method: &str, params: &Value) -> u64 {
        let id = self.id_last.get() + 1;
        self.id_last.set(id);
        let message = json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params });
        self.write(&message.to_string());
        id
    }

    /// The next answer, whichever request it is for; what is no message of the protocol is a fault.
    ///
    /// # Panics
    ///
    /// If none comes in time.
    pub fn next_answer(&mut self) -> Value {
        let line = self.lines.recv_timeout(ANSWER_MAX).expect("the server answers");
        let message: Value = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"));
        assert_eq!(message["jsonrpc"], "2.0", "{line}");
        message
    }

    /// Sends a request and waits for its answer, which it returns whole.
    ///
    /// # Panics
    ///
    /// If another or none comes.
    pub fn request(&mut self, method: &str, params: &Value) -> Value {
        let id = self.send(method, params);
        let answer = self.next_answer();
        assert_eq!(answer["id"], id, "{answer:#}");
        answer
    }

    /// Calls a tool, and returns its result.
    ///
    /// # Panics
    ///
    /// If the protocol has no result for it.
    pub fn call(&mut self, tool: &str, arguments: &Value) -> Value {
        let answer = self.request("tools/call", &json!({ "name": tool, "arguments": arguments }));
        assert!(answer["result"].is_object(), "{answer:#}");
        answer["result"].clone()
    }

    /// Ends the input, as a client that goes away does.
    pub fn end_input(&mut self) {
        self.input = None;
    }

    /// Sends `signal`, such as `-TERM`, as `kill` knows it.
    ///
    /// # Panics
    ///
    /// If the server has ended already.
    pub fn signal(&self, signal: &str) {
        let sent = Command::new("kill").args([signal, &self.child.id().to_string()]).status();
        assert!(sent.expect("kill can be run").success(), "the server had ended");
    }

    /// Waits until it has taken over the signals that end it, which it does before it reads.
    ///
    /// # Panics
    ///
    /// If it takes too long.
    pub fn until_signals_are_taken(&self) {
        const INTERRUPT_AND_TERMINATE: u64 = 1 << 1 | 1 << 14;
        let path = format!("/proc/{}/status", self.child.id());
        let taken = crate::eventually_blocking(crate::SOON, || {
            let text = std::fs::read_to_string(&path).unwrap_or_default();
            let caught = text.lines().find_map(|line| line.strip_prefix("SigCgt:\t"));
            let caught = caught.and_then(|digits| u64::from_str_radix(digits, 16).ok()).unwrap_or(0);
            caught & INTERRUPT_AND_TERMINATE == INTERRUPT_AND_TERMINATE
        });
        assert!(taken, "the server takes over no signals");
    }

    /// Waits until the process ends. Returns how, with what it wrote to standard error.
    ///
    /// # Panics
    ///
    /// If it takes too long.
    pub fn wait(&mut self) -> (ExitStatus, String) {
        let mut status = None;
        let ended = crate::eventually_blocking(crate::SOON, || {
            status = self.child.try_wait().expect("a child can be waited for");
            status.is_some()
        });
        assert!(ended, "the server still runs");
        let mut text = String::new();
        let stderr = self.child.stderr.as_mut().expect("it was asked to be piped");
        stderr.read_to_string(&mut text).expect("it is text");
        (status.expect("it has ended"), text)
    }
}

impl Drop for McpServer {
    fn drop(&mut self) {
        // Refused only when the process has ended already, which is what is wanted.
        let _ended_already = self.child.kill();
        let _status = self.child.wait();
    }
}

/// Longest wait for an answer: the server gives a daemon ten seconds.
const ANSWER_MAX: Duration = Duration::from_secs(40);
