//! The clients of the Model Context Protocol that agents are built with, from npm and PyPI, against `fleet-cache mcp`.
//!
//! Each checks by itself that what a tool answers fits the schema that the server gave.

use super::{setting::Setting, skipped::Skipped};
use crate::process::any_output;
use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use std::{collections::BTreeSet, process::Command};

pub(super) fn node(setting: &Setting) -> Result<String> {
    let remedy =
        "run `npm install --prefix DIR @modelcontextprotocol/sdk` and set NODE_PATH=DIR/node_modules";
    each_tool(setting, ("node", "-e", include_str!("agents/client.js")), remedy)
}

pub(super) fn python(setting: &Setting) -> Result<String> {
    let remedy = "run `pip install mcp`, in an environment whose python3 is first in PATH";
    each_tool(setting, ("python3", "-c", include_str!("agents/client.py")), remedy)
}

/// Has a client call every tool of a server beside a daemon that has answered, and refused, requests.
fn each_tool(setting: &Setting, (program, flag, script): (&str, &str, &str), remedy: &str) -> Result<String> {
    setting.stub.configure("core_limit=100")?;
    setting.start(&["--reserve", "batch=90%"])?;
    let curl = setting.curl("ghp_alice");
    for number in 0..10 {
        ensure!(curl.get(&format!("/repos/acme/widget-{number}"))?.status == 200);
    }
    let refused = curl.send("/repos/acme/widget-99", &["--header", "X-Fleet-Priority: batch"])?;
    ensure!(refused.status == 403, "a batch request is answered {}", refused.status);
    let headers = ["cache-status", "retry-after", "x-ratelimit-resource", "x-ratelimit-reset"];
    let headers = headers.map(|name| (name.to_owned(), refused.header(name).into()));
    let arguments = json!({
        "quota": {},
        "why_refused": { "status": 403, "headers": Value::Object(headers.into_iter().collect()), "priority": "batch" },
        "top_spenders": { "by": "client" },
        "cache_status": { "path": "/repos/acme/widget-1" },
        "doctor": {},
    });
    let mut command = Command::new(program);
    command.arg(flag).arg(script);
    command.arg(setting.program()).arg(setting.cache_dir()).arg(arguments.to_string());
    let output = any_output(&mut command).map_err(|error| Skipped(format!("{error:#}")))?;
    if output.status.code() == Some(NOT_INSTALLED) {
        return Err(Skipped(format!("its package is not installed: {remedy}")).into());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{program}: {}: {}", output.status, said.trim());
    let told: Value = serde_json::from_slice(&output.stdout).context("what the client prints")?;
    check(&told, &arguments)?;
    let protocol = told["protocol"].as_str().map(|date| format!(", protocol {date}")).unwrap_or_default();
    let client = told["client"].as_str().unwrap_or(program);
    Ok(format!("{client}{protocol}: 5 tools as their schemas have them, an unknown one refused"))
}

fn check(told: &Value, arguments: &Value) -> Result<()> {
    let names = |value: &Value| -> BTreeSet<String> {
        value.as_object().into_iter().flatten().map(|(name, _)| name.clone()).collect()
    };
    ensure!(names(&told["results"]) == names(arguments), "not the tools that there are: {told:#}");
    ensure!(told["unknown"] == true, "an unknown tool is no error");
    let result =
        |tool: &str, pointer: &str| told["results"][tool].pointer(pointer).cloned().unwrap_or_default();
    for (tool, pointer, expected) in [
        ("quota", "/quotas/0/used", json!(10)),
        ("why_refused", "/verdict", json!("reserve")),
        ("why_refused", "/holds/0/class", json!("batch")),
        ("top_spenders", "/total/calls", json!(10)),
        ("cache_status", "/copies_count", json!(1)),
        ("doctor", "/shares", json!(false)),
    ] {
        let found = result(tool, pointer);
        ensure!(found == expected, "{tool}{pointer} is {found} and not {expected}");
    }
    Ok(())
}

/// The exit code of a script whose package cannot be loaded.
const NOT_INSTALLED: i32 = 77;
