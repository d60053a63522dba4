//! Writes `protocol/generated/`: JSON Schema, `OpenAPI` and TypeScript.

use std::{fs, io, path::Path};

fn main() -> io::Result<()> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("generated");
    fs::create_dir_all(&folder)?;
    fs::write(folder.join("schema.json"), format!("{:#}\n", chapar_protocol::openapi::json_schema()))?;
    fs::write(folder.join("openapi.json"), format!("{:#}\n", chapar_protocol::openapi::openapi()))?;
    fs::write(folder.join("protocol.ts"), chapar_protocol::typescript::declarations())
}
