//! The routes of files: uploads by tus 1.0 and downloads. Written out, since their requests and answers are headers and bytes.

use serde_json::{Map, Value, json};

/// A header of a request, what it must look like, and whether it must be there.
type Header = (&'static str, bool, &'static str, &'static str);

const TUS: Header = ("Tus-Resumable", true, "^1\\.0\\.0$", "The version of tus that is spoken");
const OFFSET: Header =
    ("Upload-Offset", true, "^[0-9]+$", "Where these bytes belong: as many as the server has, which HEAD tells");
const LENGTH: Header = ("Upload-Length", false, "^[0-9]+$", "Bytes of the whole file");
const DEFERRED: Header = ("Upload-Defer-Length", false, "^1$", "The length is told later, in a PATCH");
const METADATA: Header = (
    "Upload-Metadata",
    false,
    "^[!-~ ]*$",
    "Pairs of a key and its value in base64, parted by commas: `kind` (photo, video, poster, voice, round, audio, document, sticker, avatar; document when absent) and `filename`",
);
const CONCAT: Header = (
    "Upload-Concat",
    false,
    "^(partial|final;.*)$",
    "`partial` for a part of another; `final;URL URL …` for what is made of them",
);
const CHECKSUM: Header = (
    "Upload-Checksum",
    false,
    "^(sha1|sha256) ",
    "The hash of this request's bytes, in base64: what does not fit is not taken",
);
const RANGE: Header = ("Range", false, "^bytes=", "One range of bytes");
const KNOWN: Header = ("If-None-Match", false, ".*", "The ETag of what is there already");
const UNCHANGED: Header = ("If-Range", false, ".*", "The range only counts while the ETag is this one");

/// The paths, by their address.
pub(super) fn paths(error: &schemars::Schema) -> Map<String, Value> {
    let id = json!({ "name": "id", "in": "path", "required": true, "schema": { "type": "string", "format": "uuid" } });
    let offset = json!({ "Upload-Offset": header("So many bytes are at the server, for good") });
    let placed = json!({
        "Location": header("The address of the upload; its last part is the `file_id`"),
        "Upload-Offset": header("So many bytes of the creation's own body were taken"),
        "Upload-Expires": header("When what is not complete is given up"),
    });
    let told = json!({
        "Upload-Offset": header("So many bytes are at the server, for good"),
        "Upload-Length": header("Bytes of the whole file, once they are told"),
        "Upload-Expires": header("When what is not complete is given up"),
    });
    let capable = json!({
        "Tus-Version": header("1.0.0"),
        "Tus-Extension": header("What is spoken beside the core"),
        "Tus-Max-Size": header("The largest file, in bytes"),
        "Tus-Checksum-Algorithm": header("sha1,sha256"),
    });
    let operation = |summary: &str, token: bool, headers: &[Header], path: &[&Value], answers: Value| {
        let mut parameters: Vec<Value> = path.iter().map(|it| (*it).clone()).collect();
        parameters.extend(headers.iter().map(|(name, required, pattern, description)| {
            json!({
                "name": name, "in": "header", "required": required, "description": description,
                "schema": { "type": "string", "pattern": pattern },
            })
        }));
        let mut responses = answers;
        responses["default"] = json!({
            "description": "An error with a stable code", "content": { "application/json": { "schema": error } },
        });
        let mut operation = json!({ "summary": summary, "parameters": parameters, "responses": responses });
        if token {
            operation["security"] = json!([{ "token": [] }]);
        }
        operation
    };
    let with_bytes = |mut operation: Value, required: bool| {
        let bytes =
            json!({ "application/offset+octet-stream": { "schema": { "type": "string", "format": "binary" } } });
        operation["requestBody"] = json!({ "required": required, "content": bytes });
        operation
    };
    let bytes = json!({
        "200": { "description": "All of it", "content": { "*/*": { "schema": { "type": "string", "format": "binary" } } } },
        "206": { "description": "The range that was asked for", "content": { "*/*": { "schema": { "type": "string", "format": "binary" } } } },
        "304": { "description": "It is the one that is known" },
        "416": { "description": "It has no such range" },
    });
    let reading = [RANGE, UNCHANGED, KNOWN];
    let token = json!({ "name": "token", "in": "path", "required": true, "schema": { "type": "string" }, "description": "From `get_links`" });
    let size =
        json!({ "name": "size", "in": "path", "required": true, "schema": { "type": "integer", "enum": [80, 320] } });
    let saved = json!({ "name": "download", "in": "query", "schema": { "type": "string" }, "description": "To be saved, not shown" });

    let create = operation(
        "Begins an upload (tus: creation, with upload, with a deferred length, concatenation)",
        true,
        &[TUS, LENGTH, DEFERRED, METADATA, CONCAT, CHECKSUM],
        &[],
        json!({ "201": { "description": "Begun", "headers": placed } }),
    );
    let look = operation(
        "Where an upload stands",
        true,
        &[TUS],
        &[&id],
        json!({ "200": { "description": "It is there", "headers": told } }),
    );
    let append = operation(
        "Brings bytes of an upload, or its length",
        true,
        &[TUS, OFFSET, LENGTH, CHECKSUM],
        &[&id],
        json!({ "204": { "description": "They are kept", "headers": offset } }),
    );
    let end = operation(
        "Ends an upload that is not complete",
        true,
        &[TUS],
        &[&id],
        json!({ "204": { "description": "It is gone" } }),
    );
    let capabilities = operation(
        "What is spoken",
        false,
        &[],
        &[],
        json!({ "204": { "description": "tus 1.0", "headers": capable } }),
    );
    let linked =
        operation("A message's file, by a link of one's own", false, &reading, &[&token, &saved], bytes.clone());
    let avatar = operation("The picture of a person or a chat", false, &reading, &[&id, &size], bytes.clone());
    let sticker = operation("A sticker", false, &reading, &[&id], bytes);
    let paths = [
        ("/files", json!({ "post": with_bytes(create, false), "options": capabilities })),
        ("/files/{id}", json!({ "head": look, "patch": with_bytes(append, true), "delete": end })),
        ("/files/d/{token}", json!({ "get": linked })),
        ("/files/avatar/{id}/{size}", json!({ "get": avatar })),
        ("/files/sticker/{id}", json!({ "get": sticker })),
    ];
    paths.into_iter().map(|(path, operations)| (path.to_owned(), operations)).collect()
}

fn header(description: &str) -> Value {
    json!({ "description": description, "schema": { "type": "string" } })
}
