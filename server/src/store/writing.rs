//! One transaction of the one connection that writes.

use std::sync::atomic::Ordering;

use sqlx::sqlite::SqliteArguments;
use sqlx::{Arguments, AssertSqlSafe, Encode, Sqlite, Type};

use super::checkpoints::Checkpoints;
use super::connections::Lent;
use super::packs::{Appended, Packs};
use super::running_clock::RunningClock;
use super::{Store, StoreError};
use crate::config::Sync;

/// Bytes of blobs that wait for the thread that writes: its statements hold
/// copies of them.
const WAITING_BYTES_MAX: usize = 4 << 20;

/// Statements that wait, so that their text stays short enough to be read.
const WAITING_STATEMENTS_MAX: usize = 64;

/// A transaction under way. Dropped before [`Writing::commit`] it leaves
/// nothing behind.
///
/// Statements are gathered, and go together to the thread that writes: asking it
/// for each one, and waiting for the answer, takes longer than what it does.
///
/// SQLite ends a transaction by itself when the disk is full, and whoever
/// believes it still open then commits nothing ever again. So a connection on
/// which anything failed is not used a second time.
#[derive(Debug)]
pub(super) struct Writing {
    /// Taken only by a commit that succeeded.
    connection: Option<Lent>,
    waiting: Waiting,
    /// Something else than the beginning may wait.
    has_part: bool,
    packs: Packs,
    checkpoints: Checkpoints,
    clock: RunningClock,
    /// What was written to packs meanwhile.
    appended: Vec<Appended>,
    /// The end waits for the disk.
    is_synced: bool,
    /// Given up now, nobody knows whether it came to its end.
    is_committing: bool,
}

/// Statements in their order, and the values of all of them.
#[derive(Debug, Default)]
struct Waiting {
    statements: String,
    values: SqliteArguments,
    /// Statements and rows.
    count: usize,
    /// What the rows of the last statement belong to, when more can be added.
    rows_of: Option<&'static str>,
    bytes: usize,
}

impl Store {
    /// Begins a transaction; the others wait for its end. With `--sync alone` that
    /// waits for the system, and not for the disk, when `is_backed`: another node
    /// has what is written.
    pub(super) async fn write(&self, is_backed: bool) -> Result<Writing, StoreError> {
        let is_relaxed = is_backed && self.sync == Sync::Alone;
        let mut writing = Writing {
            connection: Some(self.writer.lend().await?),
            waiting: Waiting::default(),
            has_part: false,
            packs: self.packs.clone(),
            checkpoints: self.checkpoints.clone(),
            clock: self.clock,
            appended: Vec::new(),
            is_synced: !is_relaxed && self.sync != Sync::Never,
            is_committing: false,
        };
        // Whoever has the connection is the only one who looks at the flag. A new
        // connection waits for the disk, whatever the flag says of the one before.
        if self.is_relaxed.swap(is_relaxed, Ordering::Relaxed) != is_relaxed {
            // It takes effect when it is read, not when it is executed: never cached.
            let pragma = if is_relaxed {
                "PRAGMA synchronous = NORMAL"
            } else {
                "PRAGMA synchronous = FULL"
            };
            let connection = writing.connection.as_deref_mut().expect(TAKEN);
            sqlx::raw_sql(pragma).execute(connection).await?;
        }
        writing.add("BEGIN IMMEDIATE");
        Ok(writing)
    }
}

impl Writing {
    /// Adds a statement. Its `?` take the values that are bound next, in order.
    pub(super) fn add(&mut self, statement: &'static str) -> &mut Self {
        self.end_statement();
        self.waiting.statements += statement;
        self.waiting.count += 1;
        self
    }

    /// Adds a row to the statement that was added last, if that inserts into the same, else to one of its own.
    pub(super) fn add_row(&mut self, insert: &'static str, row: &'static str) -> &mut Self {
        if self.waiting.rows_of == Some(insert) {
            self.waiting.statements += ", ";
        } else {
            self.add(insert);
            self.waiting.statements += " ";
            self.waiting.rows_of = Some(insert);
        }
        self.waiting.statements += row;
        self.waiting.count += 1;
        self
    }

    fn end_statement(&mut self) {
        if !self.waiting.statements.is_empty() {
            self.waiting.statements += ";\n";
        }
        self.waiting.rows_of = None;
    }

    /// A value of the statement that was added last.
    pub(super) fn bind<'v>(&mut self, value: impl Encode<'v, Sqlite> + Type<Sqlite>) -> &mut Self {
        let added = self.waiting.values.add(value);
        added.expect("numbers, texts and bytes can always be encoded");
        self
    }

    /// The same for bytes.
    pub(super) fn bind_bytes(&mut self, bytes: &[u8]) -> &mut Self {
        self.waiting.bytes += bytes.len();
        self.bind(bytes)
    }

    pub(super) fn packs(&self) -> &Packs {
        &self.packs
    }

    /// Now, by the clock by which times to live are counted.
    pub(super) fn now_ms(&self) -> u64 {
        self.clock.now_ms()
    }

    pub(super) fn is_synced(&self) -> bool {
        self.is_synced
    }

    /// Keeps what is to be taken back unless all of it is committed.
    pub(super) fn remember_appended(&mut self, appended: Appended) {
        self.appended.push(appended);
    }

    /// The connection, on which nothing of this transaction was executed before the first flush.
    pub(super) fn connection(&mut self) -> &mut Lent {
        self.connection.as_mut().expect(TAKEN)
    }

    /// Executes what waits, if that is much.
    pub(super) async fn flush_if_much(&mut self) -> Result<(), StoreError> {
        let Waiting { count, bytes, .. } = self.waiting;
        if count >= WAITING_STATEMENTS_MAX || bytes >= WAITING_BYTES_MAX {
            self.flush().await?;
        }
        Ok(())
    }

    /// What is added from here on is a text of its own; the beginning and the end go with their neighbours.
    pub(super) async fn begin_part(&mut self) -> Result<(), StoreError> {
        if std::mem::replace(&mut self.has_part, true) {
            self.flush().await?;
        }
        Ok(())
    }

    pub(super) async fn commit(mut self) -> Result<(), StoreError> {
        self.add("COMMIT");
        self.is_committing = true;
        let committed = self.flush().await;
        self.is_committing = false;
        committed?;
        self.connection = None;
        self.checkpoints.on_commit();
        Ok(())
    }

    /// Executes what waits.
    pub(super) async fn flush(&mut self) -> Result<(), StoreError> {
        let Waiting {
            statements, values, ..
        } = std::mem::take(&mut self.waiting);
        if statements.is_empty() {
            return Ok(());
        }
        let connection = self.connection.as_deref_mut().expect(TAKEN);
        // It is made of statements that stand in this program, and of nothing else.
        let statements = AssertSqlSafe(statements);
        sqlx::query_with(statements, values)
            .execute(connection)
            .await?;
        Ok(())
    }
}

impl Drop for Writing {
    fn drop(&mut self) {
        let Some(connection) = &mut self.connection else {
            return;
        };
        let mut appended = std::mem::take(&mut self.appended);
        if self.is_committing {
            // Rows may tell of it. Otherwise it is nobody's, and goes with its pack.
            appended.clear();
        }
        connection.give_up(move || {
            // The last first: one pack may have been appended to twice.
            appended.iter().rev().for_each(Appended::take_back);
        });
    }
}

const TAKEN: &str = "only a commit takes the connection, and the transaction with it";
