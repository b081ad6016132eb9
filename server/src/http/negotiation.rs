//! In which format a matrix is sent: `?format=` or `Accept`.

use axum::http::HeaderMap;
use axum::http::header::ACCEPT;
use kernel::format::OutputFormat;
use wire::Problem;

use super::parameters::Parameters;

/// In the order in which a wildcard chooses.
const FORMATS: [OutputFormat; 4] = [
    OutputFormat::Json,
    OutputFormat::Csv,
    OutputFormat::Npy,
    OutputFormat::MatrixMarket,
];

const KNOWN: &str = "npy, csv, mtx or json";

/// The format that the requester wants; JSON when all are the same to it.
pub(super) fn output_format(
    parameters: &Parameters,
    headers: &HeaderMap,
) -> Result<OutputFormat, Problem> {
    match parameters.read("format", KNOWN, OutputFormat::from_name)? {
        Some(format) => Ok(format),
        None => by_accept(headers),
    }
}

fn by_accept(headers: &HeaderMap) -> Result<OutputFormat, Problem> {
    let lines: Vec<&str> = headers
        .get_all(ACCEPT)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .collect();
    let accepted = lines.join(",");
    if accepted.trim().is_empty() {
        return Ok(OutputFormat::Json);
    }
    let mut best: Option<(f32, OutputFormat)> = None;
    for format in FORMATS {
        let quality = quality_of(format, &accepted);
        // Strictly better: of equals the first stands.
        if quality > best.map_or(0.0, |(quality, _)| quality) {
            best = Some((quality, format));
        }
    }
    best.map(|(_, format)| format).ok_or_else(|| {
        let types = FORMATS.map(OutputFormat::media_type).join(", ");
        Problem::new(
            406,
            format!("Accept: {accepted}: a matrix is sent as {types}"),
        )
    })
}

/// How much the requester wants a format: what the most specific range says.
fn quality_of(format: OutputFormat, accepted: &str) -> f32 {
    let (mut specificity, mut quality) = (0, 0.0);
    for range in accepted.split(',') {
        let mut parts = range.split(';').map(str::trim);
        let media_range = parts.next().unwrap_or_default().to_ascii_lowercase();
        let found = specificity_of(&media_range, format.media_type());
        if found > specificity {
            specificity = found;
            let stated = parts.find_map(|part| part.strip_prefix("q="));
            quality = stated.map_or(1.0, |text| text.trim().parse().unwrap_or(0.0));
        }
    }
    quality
}

fn specificity_of(media_range: &str, media_type: &str) -> u8 {
    if media_range == media_type || media_range == alias_of(media_type) {
        3
    } else if media_range == "*/*" {
        1
    } else {
        let group = media_range.strip_suffix("/*");
        let matches = group.is_some_and(|group| media_type.split('/').next() == Some(group));
        if matches { 2 } else { 0 }
    }
}

/// Matrix Market has no registered name, and two that are in use.
fn alias_of(media_type: &str) -> &str {
    match media_type {
        "text/x-matrix-market" => "application/x-matrix-market",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(accept: &str) -> Option<OutputFormat> {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, accept.parse().unwrap());
        by_accept(&headers).ok()
    }

    #[test]
    fn whoever_takes_anything_gets_json() {
        assert_eq!(by_accept(&HeaderMap::new()), Ok(OutputFormat::Json));
        assert_eq!(chosen("*/*"), Some(OutputFormat::Json));
        assert_eq!(
            chosen("text/html,application/xml;q=0.9,*/*;q=0.8"),
            Some(OutputFormat::Json)
        );
    }

    #[test]
    fn the_better_quality_and_the_more_specific_range_win() {
        assert_eq!(
            chosen("text/csv;q=0.5, application/x-npy"),
            Some(OutputFormat::Npy)
        );
        assert_eq!(chosen("*/*;q=0.1, text/csv"), Some(OutputFormat::Csv));
        assert_eq!(chosen("application/json;q=0, */*"), Some(OutputFormat::Csv));
        assert_eq!(
            chosen("application/x-matrix-market"),
            Some(OutputFormat::MatrixMarket)
        );
        assert_eq!(chosen("text/*"), Some(OutputFormat::Csv));
    }

    #[test]
    fn what_nobody_sends_is_not_acceptable() {
        assert_eq!(chosen("image/png"), None);
        assert_eq!(chosen("application/json;q=0"), None);
    }
}
