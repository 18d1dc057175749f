//! Files that pages need: found by a name with a hash of their content in it, and so kept by browsers for good.

use std::collections::HashMap;
use std::sync::OnceLock;

use axum::body::Body;
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use http::HeaderMap;
use http::header::{CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, VARY, X_CONTENT_TYPE_OPTIONS};

use crate::api::negotiation;
use crate::gzip;

/// What pages call the file, its media type, its content.
const SOURCES: [(&str, &str, &[u8]); 5] = [
    (
        "ui.css",
        "text/css; charset=utf-8",
        include_bytes!("../../assets/ui/ui.css"),
    ),
    (
        "ui.js",
        "text/javascript; charset=utf-8",
        include_bytes!("../../assets/ui/ui.js"),
    ),
    // One file: htmx begins by a timer, which may run before the next script is there, and then looks no further for
    // what an extension would have taken.
    (
        "htmx.js",
        "text/javascript; charset=utf-8",
        concat!(
            include_str!("../../assets/ui/htmx.min.js"),
            "\n",
            include_str!("../../assets/ui/htmx-sse.min.js")
        )
        .as_bytes(),
    ),
    (
        "icon.svg",
        "image/svg+xml",
        include_bytes!("../../assets/icon.svg"),
    ),
    (
        "sample.csv",
        "text/csv; charset=utf-8",
        include_bytes!("../../assets/ui/sample.csv"),
    ),
];

/// One file, ready to be sent.
pub struct Asset {
    /// `ui-0123456789abcdef.css`.
    pub name: String,
    pub media_type: &'static str,
    pub body: Bytes,
    pub gzip: Bytes,
}

struct Assets {
    by_source: HashMap<&'static str, usize>,
    by_name: HashMap<String, usize>,
    files: Vec<Asset>,
}

fn assets() -> &'static Assets {
    static ASSETS: OnceLock<Assets> = OnceLock::new();
    ASSETS.get_or_init(|| {
        let files: Vec<_> = SOURCES
            .iter()
            .map(|(source, media_type, body)| Asset::new(source, media_type, body))
            .collect();
        Assets {
            by_source: SOURCES
                .iter()
                .enumerate()
                .map(|(place, (source, ..))| (*source, place))
                .collect(),
            by_name: files
                .iter()
                .enumerate()
                .map(|(place, file)| (file.name.clone(), place))
                .collect(),
            files,
        }
    })
}

impl Asset {
    fn new(source: &str, media_type: &'static str, body: &'static [u8]) -> Self {
        let hash = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, body);
        let hash: String = hash.as_ref()[..8]
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        let (stem, ending) = source.rsplit_once('.').unwrap_or((source, ""));
        Self {
            name: format!("{stem}-{hash}.{ending}"),
            media_type,
            body: Bytes::from_static(body),
            gzip: gzip::packed(body),
        }
    }
}

/// Every file.
pub fn all() -> &'static [Asset] {
    &assets().files
}

/// Where a page finds one of the files named above.
///
/// # Panics
///
/// For any other name; a test renders every page.
pub fn address(source: &str) -> String {
    let assets = assets();
    format!("/assets/{}", assets.files[assets.by_source[source]].name)
}

/// The file of a name with its hash.
pub fn find(name: &str) -> Option<&'static Asset> {
    let assets = assets();
    assets.by_name.get(name).map(|place| &assets.files[*place])
}

/// The answer to `GET /assets/{name}`, where there is such a file.
pub fn answer(name: &str, headers: &HeaderMap) -> Option<Response> {
    let asset = find(name)?;
    let head = [
        (CONTENT_TYPE, asset.media_type),
        (CACHE_CONTROL, "public, max-age=31536000, immutable"),
        (VARY, "Accept-Encoding"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    if negotiation::takes_gzip(headers) {
        return Some((head, [(CONTENT_ENCODING, "gzip")], Body::from(asset.gzip.clone())).into_response());
    }
    Some((head, Body::from(asset.body.clone())).into_response())
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use http::header::ACCEPT_ENCODING;

    use super::*;

    fn headers(accept: &str) -> HeaderMap {
        HeaderMap::from_iter([(ACCEPT_ENCODING, accept.parse().unwrap())])
    }

    #[test]
    fn a_file_is_found_by_its_hashed_name_alone() {
        let address = address("ui.css");
        let name = address.strip_prefix("/assets/").unwrap();
        assert!(find(name).is_some());
        assert!(find("ui.css").is_none());
        assert!(answer("ui.css", &HeaderMap::new()).is_none());
    }

    #[test]
    fn the_compressed_form_is_the_same_file() {
        for asset in all() {
            let mut plain = Vec::new();
            flate2::read::GzDecoder::new(&asset.gzip[..])
                .read_to_end(&mut plain)
                .unwrap();
            assert_eq!(plain, asset.body, "{}", asset.name);
        }
    }

    #[test]
    fn whoever_takes_gzip_gets_it_and_nobody_else() {
        for (accept, coded) in [
            ("gzip", true),
            ("br, GZIP;q=0.5", true),
            ("gzip;q=0", false),
            ("gzip;q=0.000", false),
            ("br", false),
        ] {
            let response = answer(&all()[0].name, &headers(accept)).unwrap();
            assert_eq!(
                response.headers().contains_key(CONTENT_ENCODING),
                coded,
                "{accept}"
            );
            assert_eq!(
                response.headers()[CACHE_CONTROL],
                "public, max-age=31536000, immutable"
            );
        }
    }
}
