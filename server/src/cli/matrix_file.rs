//! Matrix files as the command line names them.

use std::path::{Path, PathBuf};

use kernel::format::{Format, OutputFormat};
use reqwest::Body;
use reqwest::multipart::Part;
use tokio::fs::File;
use tokio::io::stdin;

use super::Failure;

/// A file to be sent, or standard input.
#[derive(Debug)]
pub(super) struct InputFile {
    /// `None` is standard input.
    path: Option<PathBuf>,
    format: Format,
}

impl InputFile {
    /// `-` is standard input, in the format of `--format`.
    pub(super) fn of(path: &Path, given: Option<OutputFormat>) -> Result<Self, Failure> {
        if path == Path::new("-") {
            let format = given.ok_or_else(|| {
                Failure::Usage("- is standard input: say its format with --format".to_owned())
            })?;
            return Ok(Self {
                path: None,
                format: readable(format)?,
            });
        }
        let by_suffix = path.to_str().and_then(Format::from_suffix);
        let format = match (by_suffix, given) {
            (Some(format), _) => format,
            (None, Some(given)) => readable(given)?,
            (None, None) => {
                return Err(Failure::Usage(format!(
                    "{}: unknown suffix, known are .npy, .csv and .mtx",
                    path.display()
                )));
            }
        };
        match std::fs::metadata(path) {
            Ok(found) if found.is_dir() => {
                Err(Failure::Usage(format!("{}: is a folder", path.display())))
            }
            Ok(_) => Ok(Self {
                path: Some(path.to_owned()),
                format,
            }),
            Err(error) => Err(Failure::Usage(format!("{}: {error}", path.display()))),
        }
    }

    /// Whether it is standard input.
    pub(super) fn is_standard_input(&self) -> bool {
        self.path.is_none()
    }

    /// The file as a part of a form, read while it is sent.
    pub(super) async fn open(&self) -> Result<Part, Failure> {
        let part = match &self.path {
            None => Part::stream(Body::wrap_stream(read_stream(stdin()))),
            Some(path) => {
                let failed =
                    |error: std::io::Error| Failure::Failed(format!("{}: {error}", path.display()));
                let file = File::open(path).await.map_err(failed)?;
                let found = file.metadata().await.map_err(failed)?;
                let body = Body::wrap_stream(read_stream(file));
                // What is no plain file, such as a pipe, has no length yet.
                if found.is_file() {
                    Part::stream_with_length(body, found.len())
                } else {
                    Part::stream(body)
                }
            }
        };
        part.mime_str(self.format.media_type())
            .map_err(|error| Failure::Failed(format!("cannot send the file: {error}")))
    }
}

/// Bytes that are read at once: large enough that reading is not what counts.
const READ_BYTES: usize = 256 << 10;

fn read_stream(
    mut source: impl tokio::io::AsyncRead + Send + Unpin + 'static,
) -> futures_util::stream::BoxStream<'static, std::io::Result<bytes::Bytes>> {
    use tokio::io::AsyncReadExt;
    Box::pin(async_stream::try_stream! {
        loop {
            let mut buffer = bytes::BytesMut::with_capacity(READ_BYTES);
            if source.read_buf(&mut buffer).await? == 0 {
                break;
            }
            yield buffer.freeze();
        }
    })
}

fn readable(format: OutputFormat) -> Result<Format, Failure> {
    Format::from_suffix(&format!(".{}", format.name())).ok_or_else(|| {
        Failure::Usage(format!(
            "{} is not read from files, known are npy, csv and mtx",
            format.name()
        ))
    })
}
