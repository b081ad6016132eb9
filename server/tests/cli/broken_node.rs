//! Something that answers like a node and closes the connection in the middle
//! of every result.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};

/// Lives until the tests end.
pub(crate) struct BrokenNode {
    pub(crate) url: String,
}

const JOB: &str = r#"{"id":"0123456789abcdef0123456789abcdef","status":"complete","rows":6,
    "inner":4,"cols":5,"options":{"arithmetic":"reproducible","spread":"all"},
    "coordinator":"0123456789abcdef0123456789abcdef","epoch":1,"backups":[],
    "blocks":{"total":1,"pending":0,"assigned":0,"done":1},"accepted_results":1,
    "computed_results":1,"rejected_results":0,"reassigned_blocks":0,
    "submitted_at":"1970-01-01T00:00:00.000Z","completed_at":null,"elapsed_ms":1.0,
    "expires_at":null,"contributions":[],"error":null}"#;

impl BrokenNode {
    pub(crate) fn that_stops_before_the_stated_length() -> Self {
        Self::start("HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n1,2,3,4,5\n")
    }

    pub(crate) fn that_stops_within_a_chunk() -> Self {
        Self::start("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\na\r\n1,2,3,4,5\n\r\n")
    }

    fn start(result: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                answer(stream.unwrap(), result);
            }
        });
        Self { url }
    }
}

/// One request a connection.
fn answer(mut stream: TcpStream, result: &str) {
    let mut request = Vec::new();
    let mut buffer = [0; 4096];
    // The last piece of the form is its closing boundary; a GET has no body.
    let is_whole = |request: &[u8]| {
        let text = String::from_utf8_lossy(request);
        if text.starts_with("POST") {
            text.ends_with("--\r\n")
        } else {
            text.ends_with("\r\n\r\n")
        }
    };
    let is_chunked_end = |request: &[u8]| request.ends_with(b"0\r\n\r\n");
    while !is_whole(&request) && !is_chunked_end(&request) {
        let count = stream.read(&mut buffer).unwrap();
        if count == 0 {
            return;
        }
        request.extend_from_slice(&buffer[..count]);
    }
    let text = String::from_utf8_lossy(&request);
    let response = if text.contains("/result") {
        result.to_owned()
    } else {
        let status = if text.starts_with("POST") {
            "202 Accepted"
        } else {
            "200 OK"
        };
        let length = JOB.len();
        format!("HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{JOB}")
    };
    stream.write_all(response.as_bytes()).unwrap();
}
