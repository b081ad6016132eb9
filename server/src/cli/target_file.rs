//! Where a result is written: beside its target and then renamed, so that
//! there is never half a file under its name.

use std::io;
use std::path::{Path, PathBuf};

use kernel::format::OutputFormat;
use tokio::fs::File;
use tokio::io::{AsyncWrite, AsyncWriteExt, stdout};

use super::Failure;

/// The target as it was named, and the format it is written in.
#[derive(Debug)]
pub(super) struct TargetFile {
    place: Place,
    pub(super) format: OutputFormat,
}

#[derive(Debug)]
enum Place {
    StandardOutput,
    /// A device or a pipe: there is nothing to rename.
    Special(PathBuf),
    File(PathBuf),
}

impl TargetFile {
    /// `-` is standard output, in the format of `--format`.
    pub(super) fn of(path: &Path, given: Option<OutputFormat>) -> Result<Self, Failure> {
        let usage = |what: &str| Failure::Usage(format!("{}: {what}", path.display()));
        if path == Path::new("-") {
            let format = given.ok_or_else(|| {
                Failure::Usage("- is standard output: say its format with --format".to_owned())
            })?;
            return Ok(Self {
                place: Place::StandardOutput,
                format,
            });
        }
        let by_suffix = path.to_str().and_then(OutputFormat::from_suffix);
        let format = by_suffix
            .or(given)
            .ok_or_else(|| usage("unknown suffix, known are .npy, .csv, .mtx and .json"))?;
        let place = match std::fs::metadata(path) {
            Ok(found) if found.is_dir() => return Err(usage("is a folder")),
            Ok(found) if !found.is_file() => Place::Special(path.to_owned()),
            // A link stays a link: what it points to is replaced.
            Ok(_) => Place::File(path.canonicalize().unwrap_or_else(|_| path.to_owned())),
            Err(_) => Place::File(path.to_owned()),
        };
        if let Place::File(path) = &place
            && !folder_of(path).is_dir()
        {
            return Err(usage("its folder does not exist"));
        }
        Ok(Self { place, format })
    }

    /// Begins to write.
    pub(super) async fn create(&self) -> Result<OpenTarget, Failure> {
        let (writer, unfinished): (Box<dyn AsyncWrite + Send + Unpin>, _) = match &self.place {
            Place::StandardOutput => (Box::new(stdout()), None),
            Place::Special(path) => {
                let file = File::options().write(true).open(path).await;
                (Box::new(file.map_err(|error| failed(path, &error))?), None)
            }
            Place::File(path) => {
                let beside = name_beside(path);
                // Never over something that is there already.
                let file = File::options()
                    .write(true)
                    .create_new(true)
                    .open(&beside)
                    .await;
                let file = file.map_err(|error| failed(&beside, &error))?;
                (
                    Box::new(file),
                    Some(Unfinished {
                        beside,
                        target: path.clone(),
                        done: false,
                    }),
                )
            }
        };
        Ok(OpenTarget { writer, unfinished })
    }
}

/// A target that is being written. Dropped before [`finish`](Self::finish), it
/// leaves nothing behind.
pub(super) struct OpenTarget {
    writer: Box<dyn AsyncWrite + Send + Unpin>,
    unfinished: Option<Unfinished>,
}

#[derive(Debug)]
struct Unfinished {
    beside: PathBuf,
    target: PathBuf,
    done: bool,
}

impl OpenTarget {
    /// Appends bytes.
    pub(super) async fn write(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        self.writer
            .write_all(bytes)
            .await
            .map_err(|error| self.failed(&error))
    }

    /// All is written: the target gets its name.
    pub(super) async fn finish(mut self) -> Result<(), Failure> {
        // Standard output tells only a flush what became of the last write.
        let flushed = self.writer.flush().await;
        flushed.map_err(|error| self.failed(&error))?;
        let closed = self.writer.shutdown().await;
        closed.map_err(|error| self.failed(&error))?;
        let Some(mut unfinished) = self.unfinished.take() else {
            return Ok(());
        };
        let renamed = tokio::fs::rename(&unfinished.beside, &unfinished.target).await;
        renamed.map_err(|error| failed(&unfinished.target, &error))?;
        unfinished.done = true;
        Ok(())
    }

    fn failed(&self, error: &io::Error) -> Failure {
        match &self.unfinished {
            Some(unfinished) => failed(&unfinished.beside, error),
            // Here a closed pipe is a result that did not arrive.
            None => Failure::Failed(format!("cannot write the result: {error}")),
        }
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        if !self.done {
            // It may not be there any longer; then all is well.
            let _ = std::fs::remove_file(&self.beside);
        }
    }
}

fn failed(path: &Path, error: &io::Error) -> Failure {
    Failure::Failed(format!("cannot write {}: {error}", path.display()))
}

fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

/// A hidden name that no other run uses.
fn name_beside(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    folder_of(path).join(format!(".{name}.{}.part", std::process::id()))
}
