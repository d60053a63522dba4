//! The web app: files that were put into the binary when it was built.
//!
//! Names under `/assets/` hold a hash of the content and are cached for good; everything else is asked for again with its
//! ETag. Any other path without a dot is a place inside the app, and gets its page.

use axum::{
    http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header},
    response::{IntoResponse, Response},
};
use chapar_protocol::{ErrorCode, WireError};

use super::{operations::other_method, reply::Failure};

/// One file, as it is and packed.
struct Asset {
    /// With a leading slash.
    path: &'static str,
    /// Quoted, as the header wants it.
    etag: &'static str,
    plain: &'static [u8],
    brotli: Option<&'static [u8]>,
    gzip: Option<&'static [u8]>,
}

/// By path.
static ASSETS: &[Asset] = include!(concat!(env!("OUT_DIR"), "/web_assets.rs"));

/// Nothing from elsewhere, nothing inline: see <https://www.w3.org/TR/CSP3/>. Sockets to the own origin are `'self'`.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; \
    font-src 'self'; media-src 'self' blob:; connect-src 'self'; manifest-src 'self'; worker-src 'self'; \
    base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
const PERMISSIONS: &str =
    "camera=(self), microphone=(self), speaker-selection=(self), geolocation=(self), payment=(), usb=()";
const WITHOUT_APP: &str = "Chapar is running, but this binary was built without the web app: run script/server, or \
    `npm ci && npm run build` in web/ and build again.\n\nWebSocket: /ws (subprotocol chapar.v1)\nHTTP API:  \
    /api/v1/openapi.json\nHealth:    /healthz /readyz /metrics\n";

/// `GET` of anything that is no route of its own.
pub(super) async fn file(method: Method, uri: Uri, headers: HeaderMap) -> Response {
    let found = find(uri.path());
    if method != Method::GET && method != Method::HEAD && !matches!(found, Found::Nothing) {
        return ([(header::ALLOW, "GET, HEAD")], other_method().await).into_response();
    }
    match found {
        Found::Asset(asset) => serve(asset, &headers),
        Found::NoApp => WITHOUT_APP.into_response(),
        Found::Nothing => nothing_here(),
    }
}

fn nothing_here() -> Response {
    Failure::from(WireError::new(ErrorCode::UnknownMethod, "there is nothing at this path")).into_response()
}

enum Found {
    Asset(&'static Asset),
    NoApp,
    Nothing,
}

fn find(path: &str) -> Found {
    let at = |path: &str| ASSETS.binary_search_by(|asset| asset.path.cmp(path)).ok().map(|place| &ASSETS[place]);
    if let Some(asset) = at(path) {
        return Found::Asset(asset);
    }
    let inside = !path.starts_with("/api/") && !path.contains('.');
    match at("/index.html") {
        Some(page) if inside => Found::Asset(page),
        None if path == "/" => Found::NoApp,
        _ => Found::Nothing,
    }
}

fn serve(asset: &'static Asset, headers: &HeaderMap) -> Response {
    let for_good = asset.path.starts_with("/assets/");
    let cache = if for_good { "public, max-age=31536000, immutable" } else { "no-cache" };
    let known = headers.get(header::IF_NONE_MATCH).and_then(|it| it.to_str().ok());
    let fresh = known.is_some_and(|known| known.split(',').any(|it| it.trim().trim_start_matches("W/") == asset.etag));
    let (coding, body) = packed(asset, headers);
    let mut response =
        if fresh { StatusCode::NOT_MODIFIED.into_response() } else { (StatusCode::OK, body).into_response() };
    let mut put = |name, value| response.headers_mut().insert(name, HeaderValue::from_static(value));
    put(header::ETAG, asset.etag);
    put(header::CACHE_CONTROL, cache);
    put(header::VARY, "accept-encoding");
    put(header::CONTENT_TYPE, kind(asset.path));
    if let Some(coding) = coding.filter(|_| !fresh) {
        put(header::CONTENT_ENCODING, coding);
    }
    if asset.path == "/index.html" || asset.path == "/sw.js" {
        put(header::CONTENT_SECURITY_POLICY, POLICY);
        put(header::REFERRER_POLICY, "no-referrer");
        put(header::HeaderName::from_static("permissions-policy"), PERMISSIONS);
        put(header::HeaderName::from_static("cross-origin-opener-policy"), "same-origin");
    }
    response
}

fn packed(asset: &'static Asset, headers: &HeaderMap) -> (Option<&'static str>, &'static [u8]) {
    let takes = |coding: &str| {
        let all = headers.get_all(header::ACCEPT_ENCODING).iter().filter_map(|it| it.to_str().ok());
        all.flat_map(|it| it.split(',')).any(|it| {
            let (name, weight) = it.split_once(';').unwrap_or((it, ""));
            name.trim().eq_ignore_ascii_case(coding) && !matches!(weight.trim(), "q=0" | "q=0.0" | "q=0.00" | "q=0.000")
        })
    };
    match (asset.brotli, asset.gzip) {
        (Some(brotli), _) if takes("br") => (Some("br"), brotli),
        (_, Some(gzip)) if takes("gzip") => (Some("gzip"), gzip),
        _ => (None, asset.plain),
    }
}

fn kind(path: &str) -> &'static str {
    match path.rsplit_once('.').map_or("", |(_, ending)| ending) {
        "html" => "text/html; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "json" => "application/json",
        "webmanifest" => "application/manifest+json",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "ico" => "image/vnd.microsoft.icon",
        "woff2" => "font/woff2",
        "txt" => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ASSET: Asset =
        Asset { path: "/assets/a-1.js", etag: "\"1\"", plain: b"plain", brotli: Some(b"br"), gzip: Some(b"gz") };
    static SAMPLE: Asset = ASSET;

    fn asked(name: header::HeaderName, value: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(name, HeaderValue::from_static(value))])
    }

    #[test]
    fn the_best_coding_that_the_browser_takes() {
        let coding = |accept| packed(&SAMPLE, &asked(header::ACCEPT_ENCODING, accept));
        assert_eq!(coding("gzip, deflate, br, zstd"), (Some("br"), &b"br"[..]));
        assert_eq!(coding("gzip;q=0.5, br;q=0"), (Some("gzip"), &b"gz"[..]));
        assert_eq!(coding("identity"), (None, &b"plain"[..]));
        assert_eq!(packed(&SAMPLE, &HeaderMap::new()), (None, &b"plain"[..]));
    }

    #[test]
    fn hashed_names_are_kept_for_good_and_known_ones_not_sent_again() {
        let first = serve(&SAMPLE, &HeaderMap::new());
        assert_eq!(first.headers()[header::CACHE_CONTROL], "public, max-age=31536000, immutable");
        let again = serve(&SAMPLE, &asked(header::IF_NONE_MATCH, "\"0\", W/\"1\""));
        assert_eq!(again.status(), StatusCode::NOT_MODIFIED);
        assert!(again.headers().get(header::CONTENT_ENCODING).is_none());
    }

    #[test]
    fn the_table_is_in_order() {
        assert!(ASSETS.is_sorted_by_key(|asset| asset.path), "a binary search reads it");
    }

    #[test]
    fn what_is_no_file_is_no_page_either() {
        assert!(matches!(find("/assets/gone-1.js"), Found::Nothing));
        assert!(matches!(find("/api/v1/nothing"), Found::Nothing));
    }
}
