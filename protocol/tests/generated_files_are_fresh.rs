//! What is generated from the wire types is in the tree and true to them.

use std::{fs, path::Path};

fn assert_fresh(name: &str, now: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("generated").join(name);
    let stored = fs::read_to_string(&path).unwrap_or_default();
    assert!(stored == now, "{name} is stale: run `cargo run -p chapar-protocol --example generate` and commit");
}

#[test]
fn schema_openapi_and_typescript_match_the_types() {
    assert_fresh("schema.json", &format!("{:#}\n", chapar_protocol::openapi::json_schema()));
    assert_fresh("openapi.json", &format!("{:#}\n", chapar_protocol::openapi::openapi()));
    assert_fresh("protocol.ts", &chapar_protocol::typescript::declarations());
}
