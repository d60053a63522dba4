//! The schemas of the wire as documents: JSON Schema (draft 2020-12) and `OpenAPI` 3.1, which speaks the same dialect.

mod files;

use schemars::{SchemaGenerator, generate::SchemaSettings};
use serde_json::{Map, Value, json};

use crate::{
    Event, WireError,
    account::{BulkUsers, BulkUsersMade, Register, SignIn, SignedIn},
    call_report::CallReport,
    command::{Devices, Done, METHODS, Users},
};

fn generator(definitions: &str) -> SchemaGenerator {
    SchemaSettings::draft2020_12()
        .with(|settings| settings.definitions_path = definitions.to_owned().into())
        .into_generator()
}

/// The text of `protocol/generated/schema.json`: every type, and for each command its params and reply.
pub fn json_schema() -> Value {
    let mut generator = generator("/$defs");
    let event = generator.subschema_for::<Event>();
    let error = generator.subschema_for::<WireError>();
    let methods: Map<String, Value> = METHODS
        .iter()
        .map(|method| {
            let (params, reply) = (method.schemas)(&mut generator);
            (method.name.to_owned(), json!({ "params": params, "reply": reply }))
        })
        .collect();
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Chapar wire protocol",
        "event": event,
        "error": error,
        "methods": methods,
        "$defs": generator.take_definitions(true),
    })
}

/// One HTTP route outside `/api/v1/call/`.
struct Route {
    path: &'static str,
    verb: &'static str,
    summary: &'static str,
    token: bool,
    /// Name and meaning of what may stand behind the `?`.
    query: &'static [(&'static str, &'static str)],
    request: Option<fn(&mut SchemaGenerator) -> schemars::Schema>,
    reply: fn(&mut SchemaGenerator) -> schemars::Schema,
}

const ROUTES: &[Route] = &[
    Route {
        path: "/api/v1/register",
        verb: "post",
        summary: "Makes an account and signs its first device in",
        token: false,
        query: &[],
        request: Some(SchemaGenerator::subschema_for::<Register>),
        reply: SchemaGenerator::subschema_for::<SignedIn>,
    },
    Route {
        path: "/api/v1/sign-in",
        verb: "post",
        summary: "Signs a device in",
        token: false,
        query: &[],
        request: Some(SchemaGenerator::subschema_for::<SignIn>),
        reply: SchemaGenerator::subschema_for::<SignedIn>,
    },
    Route {
        path: "/api/v1/sign-out",
        verb: "post",
        summary: "Signs the asking device out",
        token: true,
        query: &[],
        request: None,
        reply: SchemaGenerator::subschema_for::<Done>,
    },
    Route {
        path: "/api/v1/devices",
        verb: "get",
        summary: "The own devices",
        token: true,
        query: &[],
        request: None,
        reply: SchemaGenerator::subschema_for::<Devices>,
    },
    Route {
        path: "/api/v1/me",
        verb: "get",
        summary: "Who the token belongs to",
        token: true,
        query: &[],
        request: None,
        reply: SchemaGenerator::subschema_for::<Users>,
    },
    Route {
        path: "/api/v1/admin/users",
        verb: "post",
        summary: "Makes accounts without password in bulk; needs the operator's token",
        token: true,
        query: &[],
        request: Some(SchemaGenerator::subschema_for::<BulkUsers>),
        reply: SchemaGenerator::subschema_for::<BulkUsersMade>,
    },
    Route {
        path: "/api/v1/admin/calls",
        verb: "get",
        summary: "How calls went: set-up, quality, satisfaction; needs the operator's token",
        token: true,
        query: &[
            ("from", "The first day, YYYY-MM-DD; a week before the last when absent"),
            ("to", "The last day, today when absent"),
            ("by", "day (when absent), region, relay, network, reason or path"),
            ("utc_offset", "How far the days are ahead of UTC: +03:30 when absent, in steps of half an hour"),
            ("format", "json (when absent) or csv"),
        ],
        request: None,
        reply: SchemaGenerator::subschema_for::<CallReport>,
    },
];

/// The text of `protocol/generated/openapi.json`, which the server serves at `/api/v1/openapi.json`.
pub fn openapi() -> Value {
    let mut generator = generator("/components/schemas");
    let mut paths = Map::new();
    let error = generator.subschema_for::<WireError>();
    for route in ROUTES {
        let request = route.request.map(|schema| schema(&mut generator));
        let reply = (route.reply)(&mut generator);
        let mut operation = operation(route.summary, route.token, request.as_ref(), &reply, &error);
        if !route.query.is_empty() {
            let parameter = |(name, description): &(&str, &str)| json!({ "name": name, "in": "query", "description": description, "schema": { "type": "string" } });
            operation["parameters"] = route.query.iter().map(parameter).collect();
        }
        paths.insert(route.path.to_owned(), json!({ route.verb: operation }));
    }
    for method in METHODS.iter().filter(|method| method.http) {
        let (params, reply) = (method.schemas)(&mut generator);
        let summary = format!("The command `{}`, as over the WebSocket", method.name);
        let operation = operation(&summary, true, Some(&params), &reply, &error);
        paths.insert(format!("/api/v1/call/{}", method.name), json!({ "post": operation }));
    }
    paths.extend(files::paths(&error));
    let schemas = generator.take_definitions(true);
    // What commands take is JSON; the bytes of files say for themselves whether there must be any.
    for operation in paths.values_mut().filter_map(|path| path.get_mut("post")) {
        let Some(body) = operation.get_mut("requestBody") else { continue };
        let Some(params) = body["content"].get("application/json").map(|it| &it["schema"]) else { continue };
        let name = params["$ref"].as_str().and_then(|path| path.rsplit('/').next());
        let params = name.and_then(|name| schemas.get(name)).unwrap_or(params);
        // Without a body the params are `{}`.
        let needed = params["required"].as_array().is_some_and(|fields| !fields.is_empty());
        body["required"] = needed.into();
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Chapar",
            "version": "1",
            "description": "Everything that is not live. The live part is the WebSocket at /ws: see docs/PROTOCOL.md.",
            "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
        },
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": { "token": { "type": "http", "scheme": "bearer" } },
        },
    })
}

fn operation(
    summary: &str,
    token: bool,
    request: Option<&schemars::Schema>,
    reply: &schemars::Schema,
    error: &schemars::Schema,
) -> Value {
    let json_content = |schema: &schemars::Schema| json!({ "application/json": { "schema": schema } });
    let mut operation = json!({
        "summary": summary,
        "responses": {
            "200": { "description": "Done", "content": json_content(reply) },
            "default": { "description": "An error with a stable code", "content": json_content(error) },
        },
    });
    if let Some(request) = request {
        operation["requestBody"] = json!({ "required": true, "content": json_content(request) });
    }
    if token {
        operation["security"] = json!([{ "token": [] }]);
    }
    operation
}
