//! `curl` over TCP: hits, pages, single flight, domains, HEAD, validators, writes.

use super::setting::Setting;
use anyhow::{Context as _, Result, ensure};

const REPOSITORY: &str = "/repos/acme/widget-1";

pub(super) fn twice(setting: &Setting) -> Result<String> {
    setting.start(&[])?;
    let curl = setting.curl("ghp_alice");
    let (first, second) = (curl.get(REPOSITORY)?, curl.get(REPOSITORY)?);
    ensure!(first.body == second.body, "two GETs get different bodies");
    ensure!(!first.is_hit() && second.is_hit(), "the second is no hit: {}", second.header("cache-status"));
    ensure!(!second.header("age").is_empty(), "no Age");
    let calls = setting.stub.calls(REPOSITORY)?.total;
    ensure!(calls == 1, "{calls} calls");
    Ok(format!("{calls} call, Cache-Status: {}", second.header("cache-status")))
}

pub(super) fn paginate(setting: &Setting) -> Result<String> {
    setting.start(&[])?;
    let mut used = Vec::new();
    for _run in 0..2 {
        let numbers = pages(setting)?;
        ensure!(numbers.iter().copied().eq((1..=230).rev()), "not issues 230 to 1 but {numbers:?}");
        used.push(setting.stub.used("user:alice")?);
    }
    ensure!(used[1] == used[0], "the second run paid for {} calls", used[1] - used[0]);
    Ok(format!("230 issues through rewritten links, {} paid calls, then 0", used[0]))
}

/// Issue numbers of all pages, each found by the link in the one before.
fn pages(setting: &Setting) -> Result<Vec<u64>> {
    let curl = setting.curl("ghp_alice");
    let mut address = "/repos/acme/widget-1/issues?per_page=100".to_owned();
    let mut numbers = Vec::new();
    loop {
        let reply = curl.get(&address)?;
        ensure!(reply.status == 200, "{address} is answered with {}", reply.status);
        let page = reply.json()?;
        for issue in page.as_array().context("a page is an array")? {
            numbers.push(issue["number"].as_u64().context("an issue has a number")?);
        }
        let next = reply.header("link").split(", ").find(|link| link.contains("rel=\"next\""));
        let Some(next) = next else {
            return Ok(numbers);
        };
        address = next.split(['<', '>']).nth(1).context("a link is in angle brackets")?.to_owned();
        ensure!(address.starts_with("http://127.0.0.1:"), "a link leaves the door: {address}");
    }
}

pub(super) fn hundred_at_once(setting: &Setting) -> Result<String> {
    setting.start(&[])?;
    // Slow enough for all to arrive before the first answer.
    setting.stub.configure("latency_ms=500")?;
    let bodies = setting.curl("ghp_alice").get_at_once(REPOSITORY, 100)?;
    ensure!(bodies.iter().all(|body| *body == bodies[0]), "bodies differ");
    let calls = setting.stub.calls(REPOSITORY)?.total;
    ensure!(calls == 1, "{calls} calls");
    Ok(format!("{} identical bodies of {} bytes, {calls} call", bodies.len(), bodies[0].len()))
}

pub(super) fn private_repository(setting: &Setting) -> Result<String> {
    setting.start(&[])?;
    let path = "/repos/acme/secret-1";
    let (alice, bob) = (setting.curl("ghp_alice"), setting.curl("ghp_bob"));
    for round in 0..20 {
        let (seen, unseen) = (alice.get(path)?.status, bob.get(path)?.status);
        ensure!(seen == 200, "round {round}: alice gets {seen}");
        ensure!(unseen == 404, "round {round}: bob gets {unseen}");
    }
    let calls = setting.stub.calls(path)?;
    Ok(format!("40 requests, {} calls, 0 leaks", calls.total))
}

pub(super) fn head(setting: &Setting) -> Result<String> {
    setting.start(&[])?;
    let curl = setting.curl("ghp_alice");
    let reply = curl.get(REPOSITORY)?;
    let head = curl.send(REPOSITORY, &["--head"])?;
    ensure!(head.status == 200 && head.is_hit(), "{} {}", head.status, head.header("cache-status"));
    let length = head.header("content-length");
    ensure!(length == reply.body.len().to_string(), "Content-Length {length} for {} bytes", reply.body.len());
    let calls = setting.stub.calls(REPOSITORY)?.total;
    ensure!(calls == 1, "{calls} calls");
    Ok(format!("{calls} call, Content-Length {length}"))
}

pub(super) fn client_validator(setting: &Setting) -> Result<String> {
    setting.start(&[])?;
    let curl = setting.curl("ghp_alice");
    let etag = curl.get(REPOSITORY)?.header("etag").to_owned();
    ensure!(!etag.is_empty(), "no ETag");
    // As Node adds it by itself to every conditional request.
    let validator = format!("If-None-Match: {etag}");
    let reply = curl.send(REPOSITORY, &["--header", &validator, "--header", "Cache-Control: no-cache"])?;
    ensure!(reply.status == 304, "answered with {}", reply.status);
    ensure!(reply.body.is_empty(), "a 304 with a body");
    let calls = setting.stub.calls(REPOSITORY)?;
    ensure!(calls.total == 1, "{} calls", calls.total);
    Ok(format!("304, {} call", calls.total))
}

pub(super) fn write(setting: &Setting) -> Result<String> {
    setting.start(&[])?;
    let curl = setting.curl("ghp_alice");
    let issues = "/repos/acme/widget-1/issues";
    let before = curl.get(issues)?.json()?[0]["number"].clone();
    let reply = curl.send(issues, &["--request", "POST", "--data", "{\"title\":\"new\"}"])?;
    ensure!(reply.status == 201, "the write is answered with {}", reply.status);
    let after = curl.get(issues)?.json()?[0]["number"].clone();
    ensure!(after == 231, "after the write the newest issue is {after}, before it was {before}");
    Ok(format!("newest issue {before}, then {after}"))
}
