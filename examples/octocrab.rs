//! octocrab with a node as its transport: two reads, one call. A model of GitHub's API on this machine answers.
//!
//! `cargo run --example octocrab --features tower`

use cache_model_origin::ModelOrigin;
use fleet_cache::{GitHub, Node, github::Credential};
use octocrab::{AuthState, OctocrabBuilder, service::middleware::base_uri::BaseUriLayer};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let origin = ModelOrigin::start();
    let token = Credential::from_token("ghp_alice")?;
    let github = GitHub::builder().origin(&origin.url()).credential(token).build()?;
    let node = Node::builder(None, github).start().await?;

    let octocrab = OctocrabBuilder::new_empty()
        .with_service(node)
        .with_layer(&BaseUriLayer::new(origin.url().parse()?))
        .with_auth(AuthState::None)
        .build()?;
    for _ in 0..2 {
        let repository: serde_json::Value = octocrab.get("/repos/acme/widget-1", None::<&()>).await?;
        println!("{}", repository["full_name"]);
    }
    println!("2 reads, {} call", origin.calls_total());
    Ok(())
}
