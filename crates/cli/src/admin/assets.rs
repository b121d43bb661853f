//! The page's script, style and icon, which are part of the binary.

use axum::{
    body::Body,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};

struct Asset {
    name: &'static str,
    media_type: &'static str,
    content: &'static str,
}

const ASSETS: [Asset; 3] = [
    Asset {
        name: "app.js",
        media_type: "text/javascript; charset=utf-8",
        content: include_str!("assets/app.js"),
    },
    Asset {
        name: "app.css",
        media_type: "text/css; charset=utf-8",
        content: include_str!("assets/app.css"),
    },
    Asset {
        name: "icon.svg",
        media_type: "image/svg+xml",
        content: include_str!("assets/icon.svg"),
    },
];

/// The named file, or 304 where the browser has it already. `None` where there is no such file.
pub(super) fn response(name: &str, request: &HeaderMap) -> Option<Response> {
    let asset = ASSETS.iter().find(|asset| asset.name == name)?;
    let tag = entity_tag(asset.content);
    let known = request.get(header::IF_NONE_MATCH).is_some_and(|known| known == tag.as_str());
    let headers = [
        (header::CONTENT_TYPE, asset.media_type),
        (header::ETAG, tag.as_str()),
        // The browser asks each time, so that a new binary is never shown with an old script.
        (header::CACHE_CONTROL, "no-cache"),
    ];
    Some(if known {
        (StatusCode::NOT_MODIFIED, headers, Body::empty()).into_response()
    } else {
        (headers, asset.content).into_response()
    })
}

/// An entity tag of the content: 64-bit FNV-1a (<https://www.rfc-editor.org/rfc/rfc9923>).
fn entity_tag(content: &str) -> String {
    let hash = content.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    format!("\"{hash:016x}\"")
}
