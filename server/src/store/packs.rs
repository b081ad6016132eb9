//! Large pieces of matrices, in files beside SQLite's.
//!
//! SQLite copies a blob into its log, and from there into its file, page by page;
//! for a piece of a megabyte that takes longer than computing with it. So large
//! pieces are appended to a file, one for each job, and SQLite keeps where in it
//! they lie. The file is written before the row that tells of it: a row whose
//! transaction counts has its bytes, and bytes without a row are nobody's.

use std::collections::BTreeSet;
use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use sqlx::Row;
use sqlx::sqlite::SqliteRow;
use wire::JobId;

use super::writing::Writing;
use super::{Store, StoreError, from_stored, to_stored};

/// A smaller piece is a blob in SQLite's file, which then is the faster way.
const PACKED_BYTES_MIN: usize = 128 << 10;

/// Whether a piece belongs in a pack.
pub(crate) fn is_packed(bytes: &Bytes) -> bool {
    bytes.len() >= PACKED_BYTES_MIN
}

/// The packs that rows tell of.
pub(super) const NAMED_PACKS: &str = "SELECT pack FROM chunks WHERE pack IS NOT NULL
    UNION SELECT pack FROM results WHERE pack IS NOT NULL";

/// Forgets what of a pack lies beyond its length.
pub(super) const FORGET_CUT_OFF: [&str; 4] = [
    "DELETE FROM blocks WHERE (job, block) IN
     (SELECT job, block FROM results WHERE pack = ? AND start + length > ?)",
    "DELETE FROM results WHERE pack = ? AND start + length > ?",
    "DELETE FROM job_chunks WHERE hash IN
     (SELECT hash FROM chunks WHERE pack = ? AND start + length > ?)",
    "DELETE FROM chunks WHERE pack = ? AND start + length > ?",
];

/// Where a piece lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    pack: JobId,
    start: u64,
    length: usize,
}

/// The folder of packs.
#[derive(Debug, Clone)]
pub(super) struct Packs {
    folder: Arc<Path>,
    /// Whether a pack may be there. It changes while its changer has the connection that writes.
    may_be_there: Arc<AtomicBool>,
}

/// A pack that was written to by a transaction under way, and its length before.
#[derive(Debug)]
pub(super) struct Appended {
    file: File,
    length_before: u64,
}

impl Packs {
    /// The packs beside the store at `path`.
    pub(super) fn beside(path: &Path) -> Self {
        Self {
            folder: folder_beside(path).into(),
            may_be_there: Arc::new(AtomicBool::new(true)),
        }
    }

    fn path(&self, pack: JobId) -> PathBuf {
        self.folder.join(pack.to_string())
    }

    /// Writes pieces behind one another; waits for the disk when told so.
    fn append(
        &self,
        pack: JobId,
        pieces: &[Bytes],
        is_synced: bool,
    ) -> io::Result<(Appended, Vec<Place>)> {
        self.may_be_there.store(true, Ordering::Relaxed);
        let path = self.path(pack);
        let open = || OpenOptions::new().create(true).append(true).open(&path);
        let file = match open() {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                std::fs::create_dir_all(&self.folder)?;
                open()
            }
            other => other,
        }?;
        let length_before = file.metadata()?.len();
        // Dropped on the way it takes back what was written.
        let mut appended = Unfinished(Some(Appended {
            file,
            length_before,
        }));
        let mut file = appended.file();
        let mut places = Vec::with_capacity(pieces.len());
        let mut start = length_before;
        for piece in pieces {
            file.write_all(piece)?;
            places.push(Place {
                pack,
                start,
                length: piece.len(),
            });
            start += piece.len() as u64;
        }
        if is_synced {
            file.sync_data()?;
            if length_before == 0 {
                sync_folder(&self.folder)?;
            }
        }
        Ok((appended.finish(), places))
    }

    /// `None` when the pack is gone, with the job that it was of.
    fn read(&self, place: Place) -> io::Result<Option<Bytes>> {
        let mut file = match File::open(self.path(place.pack)) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        file.seek(SeekFrom::Start(place.start))?;
        let mut bytes = Vec::with_capacity(place.length);
        file.take(place.length as u64).read_to_end(&mut bytes)?;
        Ok(Some(Bytes::from(bytes)))
    }

    fn sync(&self, pack: JobId) -> io::Result<()> {
        match File::open(self.path(pack)) {
            Ok(file) => {
                file.sync_data()?;
                sync_folder(&self.folder)
            }
            // Nothing of the job is large.
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Takes the names off all packs but these. Their room is given back when what
    /// is returned is dropped, which takes longer the larger they are.
    fn remove_all_but(&self, named: &BTreeSet<String>) -> io::Result<Vec<File>> {
        let entries = match std::fs::read_dir(&self.folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == ErrorKind::NotFound => {
                self.may_be_there.store(false, Ordering::Relaxed);
                return Ok(Vec::new());
            }
            Err(error) => return Err(error),
        };
        let mut removed = Vec::new();
        let mut is_one_left = false;
        for entry in entries {
            let entry = entry?;
            if named.contains(&*entry.file_name().to_string_lossy()) {
                is_one_left = true;
            } else {
                removed.extend(File::open(entry.path()));
                std::fs::remove_file(entry.path())?;
            }
        }
        self.may_be_there.store(is_one_left, Ordering::Relaxed);
        Ok(removed)
    }
}

impl Appended {
    /// The transaction does not come to its end, and another may try the same again.
    pub(super) fn take_back(&self) {
        if let Err(error) = self.file.set_len(self.length_before) {
            tracing::warn!(%error, "bytes that nobody will read stay on the disk");
        }
    }
}

/// See [`Packs::append`].
struct Unfinished(Option<Appended>);

impl Unfinished {
    fn file(&self) -> &File {
        &self.0.as_ref().expect(UNFINISHED).file
    }

    fn finish(&mut self) -> Appended {
        self.0.take().expect(UNFINISHED)
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        if let Some(appended) = &self.0 {
            appended.take_back();
        }
    }
}

const UNFINISHED: &str = "it is taken when it is finished, and not looked at after that";

impl Writing {
    /// Appends pieces to the pack of a job.
    pub(super) async fn pack(
        &mut self,
        job: JobId,
        pieces: Vec<Bytes>,
    ) -> Result<Vec<Place>, StoreError> {
        if pieces.is_empty() {
            return Ok(Vec::new());
        }
        let (packs, is_synced) = (self.packs().clone(), self.is_synced());
        let written = off_thread(move || packs.append(job, &pieces, is_synced)).await?;
        let (appended, places) = written;
        self.remember_appended(appended);
        Ok(places)
    }

    /// Binds a piece as `bytes, pack, start, length`.
    pub(super) fn bind_piece(&mut self, bytes: &Bytes, place: Option<Place>) -> &mut Self {
        match place {
            None => self.bind_bytes(bytes).bind(None::<Vec<u8>>).bind(0).bind(0),
            Some(place) => self
                .bind_bytes(&[])
                .bind_bytes(place.pack.as_bytes())
                .bind(to_stored(place.start))
                .bind(to_stored(place.length as u64)),
        }
    }
}

impl Store {
    /// The piece whose `bytes, pack, start, length` are the first columns of a row.
    pub(super) async fn piece(&self, row: &SqliteRow) -> Result<Option<Bytes>, StoreError> {
        let Some(pack) = row.try_get::<Option<Vec<u8>>, _>(1)? else {
            return Ok(Some(Bytes::from(row.try_get::<Vec<u8>, _>(0)?)));
        };
        let length = usize::try_from(row.try_get::<i64, _>(3)?);
        let place = Place {
            pack: pack_named(pack)?,
            start: from_stored(row.try_get(2)?),
            length: length.map_err(|_| StoreError::Damaged { what: "place" })?,
        };
        let packs = self.packs.clone();
        off_thread(move || packs.read(place)).await
    }

    /// Makes durable what was stored for a job as if another node had it.
    pub async fn sync_pieces(&self, job: JobId) -> Result<(), StoreError> {
        if self.sync == crate::config::Sync::Never {
            return Ok(());
        }
        let packs = self.packs.clone();
        off_thread(move || packs.sync(job)).await
    }

    /// Forgets what lies beyond the end of its pack. With `--sync alone` the system writes
    /// packs and rows when it sees fit, and after a power cut a row may be there whose bytes
    /// are not: its block is then computed again, or comes from another holder.
    pub(super) async fn forget_what_is_cut_off(&self) -> Result<(), StoreError> {
        let packs = sqlx::query(NAMED_PACKS)
            .fetch_all(&mut *self.writer.lend().await?)
            .await?;
        let mut writing = self.write(false).await?;
        for row in packs {
            let pack = pack_named(row.try_get(0)?)?;
            let length = match std::fs::metadata(self.packs.path(pack)) {
                Ok(file) => file.len(),
                Err(error) if error.kind() == ErrorKind::NotFound => 0,
                Err(error) => return Err(error.into()),
            };
            for statement in FORGET_CUT_OFF {
                writing
                    .add(statement)
                    .bind_bytes(pack.as_bytes())
                    .bind(to_stored(length));
            }
            writing.flush_if_much().await?;
        }
        writing.commit().await
    }

    /// Removes the packs that no row tells of any longer.
    pub(super) async fn remove_unnamed_packs(&self) -> Result<(), StoreError> {
        if !self.packs.may_be_there.load(Ordering::Relaxed) {
            return Ok(());
        }
        // As long as it is held, nobody writes to a pack.
        let mut connection = self.writer.lend().await?;
        let named = sqlx::query(NAMED_PACKS).fetch_all(&mut *connection).await?;
        let names = named
            .iter()
            .map(|row| Ok(pack_named(row.try_get(0)?)?.to_string()));
        let names = names.collect::<Result<BTreeSet<String>, StoreError>>()?;
        let packs = self.packs.clone();
        let removed = off_thread(move || packs.remove_all_but(&names)).await?;
        drop(connection);
        off_thread(move || {
            drop(removed);
            Ok(())
        })
        .await
    }
}

fn pack_named(id: Vec<u8>) -> Result<JobId, StoreError> {
    let id = id.try_into().map(JobId::from_bytes);
    id.map_err(|_| StoreError::Damaged { what: "place" })
}

/// The folder of the packs of the store at `path`.
pub(super) fn folder_beside(path: &Path) -> PathBuf {
    path.with_file_name("packs")
}

/// What waits for a disk is done by a thread that may wait.
async fn off_thread<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<T, StoreError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(io::Error::other)
        .flatten()
        .map_err(StoreError::from)
}

/// So that a new file is found after a power cut.
fn sync_folder(folder: &Path) -> io::Result<()> {
    // Elsewhere a folder cannot be opened, and its entries need no such call.
    if cfg!(unix) {
        File::open(folder)?.sync_all()?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
