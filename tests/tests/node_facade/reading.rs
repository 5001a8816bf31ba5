//! Replies read as text, as JSON, and as errors.

use crate::support::{ALICE, PUBLIC, get_by, origin_and_node};
use bytes::Bytes;
use fleet_cache::{Node, ReadError, Reply};
use http_body_util::Empty;
use serde_json::Value;

async fn read(node: &Node, path: &str) -> Reply {
    let request = get_by(ALICE, path).body(Empty::<Bytes>::new()).expect("it is well formed");
    node.request(request).await.expect("the origin answers")
}

#[tokio::test]
async fn a_body_is_read_as_text_and_as_json_whether_it_is_kept_or_not() {
    let (_origin, node) = origin_and_node().await;
    for path in [PUBLIC, PUBLIC, "/repos/acme/nobody-has-this"] {
        let text = read(&node, path).await.text().await.unwrap();
        let json: Value = read(&node, path).await.json().await.unwrap();
        assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), json);
    }
}

#[tokio::test]
async fn a_body_of_another_shape_is_an_error_that_says_where() {
    let (_origin, node) = origin_and_node().await;
    let error = read(&node, PUBLIC).await.json::<Vec<u8>>().await.unwrap_err();
    assert!(matches!(error, ReadError::NotJson(_)));
    assert!(error.to_string().contains("line 1 column"), "{error}");
}

#[tokio::test]
async fn a_status_that_is_an_error_keeps_the_reply_and_what_the_origin_says_of_it() {
    let (_origin, node) = origin_and_node().await;
    assert!(read(&node, PUBLIC).await.error_for_status().is_ok());
    let error = read(&node, "/repos/acme/nobody-has-this").await.error_for_status().unwrap_err();
    assert_eq!(error.to_string(), "the origin answered 404 Not Found");
    assert_eq!(error.status(), 404);
    let said: Value = error.into_reply().json().await.unwrap();
    assert_eq!(said["message"], "Not Found");
}
