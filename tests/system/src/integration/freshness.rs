//! What happens after the lifetime: revalidation, change, rotation, and an origin without the recipe.

use super::setting::Setting;
use anyhow::{Result, ensure};

const REPOSITORY: &str = "/repos/acme/widget-1";
const SHORT: &[&str] = &["--default-ttl", "1", "--route", "/repos/**=1"];

pub(super) fn expiry(setting: &Setting) -> Result<String> {
    setting.start(SHORT)?;
    let curl = setting.curl("ghp_alice");
    let first = curl.get(REPOSITORY)?;
    let used = setting.stub.used("user:alice")?;
    setting.outlive(1);
    let second = curl.get(REPOSITORY)?;
    let calls = setting.stub.calls(REPOSITORY)?;
    ensure!(second.status == 200 && second.body == first.body, "the body was not served again");
    ensure!(calls.total == 2 && calls.with_status(304) == 1, "not one 304: {calls:?}");
    let used_then = setting.stub.used("user:alice")?;
    ensure!(used_then == used, "quota used {used}, then {used_then}");
    Ok(format!("one 304, quota used {used} before and after, {}", second.header("cache-status")))
}

pub(super) fn change(setting: &Setting) -> Result<String> {
    setting.start(SHORT)?;
    let curl = setting.curl("ghp_alice");
    let first = curl.get(REPOSITORY)?;
    setting.stub.mutate("acme/widget-1")?;
    setting.outlive(1);
    let second = curl.get(REPOSITORY)?;
    ensure!(second.body != first.body, "the old body is still served");
    let description = second.json()?["description"].clone();
    ensure!(description.to_string().contains("revision 1"), "{description}");
    Ok(format!("{description}"))
}

pub(super) fn rotation(setting: &Setting) -> Result<String> {
    setting.start(&[SHORT, &["--domain", "ci=all"]].concat())?;
    let first = setting.curl("ghp_alice").get(REPOSITORY)?;
    setting.outlive(1);
    let second = setting.curl("ghp_alice2").get(REPOSITORY)?;
    let calls = setting.stub.calls(REPOSITORY)?;
    ensure!(second.body == first.body, "another body under the new token");
    ensure!(calls.with_status(304) == 1, "no 304 under the new token: {calls:?}");
    Ok(format!("{} calls, one 304 under a token that never got a 200", calls.total))
}

pub(super) fn recipe_off(setting: &Setting) -> Result<String> {
    setting.stub.configure("etag=body")?;
    setting.start(&[SHORT, &["--domain", "ci=all"]].concat())?;
    let first = setting.curl("ghp_alice").get(REPOSITORY)?;
    setting.outlive(1);
    let second = setting.curl("ghp_alice2").get(REPOSITORY)?;
    ensure!(second.status == 200 && second.body == first.body, "another body under the new token");
    setting.stub.mutate("acme/widget-1")?;
    setting.outlive(1);
    let third = setting.curl("ghp_alice").get(REPOSITORY)?;
    ensure!(third.status == 200 && third.body != first.body, "the old body is still served");
    setting.outlive(1);
    let fourth = setting.curl("ghp_alice").get(REPOSITORY)?;
    ensure!(fourth.body == third.body, "an unchanged body is served differently");
    let calls = setting.stub.calls(REPOSITORY)?;
    Ok(format!("{} calls, {} of them 304", calls.total, calls.with_status(304)))
}
