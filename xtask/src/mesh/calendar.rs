//! A node's own calendar, which can be set while it runs; its steady clock goes on.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::system;

/// What the node's calendar is ahead of the machine's is in a file that the library reads.
#[derive(Debug)]
pub(crate) struct Calendar {
    library: PathBuf,
    file: PathBuf,
}

impl Calendar {
    pub(super) fn at(file: &Path) -> Result<Self> {
        let library = system::find_faketime().context("no libfaketime, though just installed")?;
        let calendar = Self {
            library,
            file: file.to_path_buf(),
        };
        calendar.set_ahead(0)?;
        Ok(calendar)
    }

    /// So many seconds ahead of the machine's, or behind it.
    pub(crate) fn set_ahead(&self, seconds: i64) -> Result<()> {
        Ok(fs::write(&self.file, format!("{seconds:+}\n"))?)
    }

    /// For a process that is to have this calendar.
    pub(super) fn give_to(&self, command: &mut Command) {
        command
            .env("LD_PRELOAD", &self.library)
            .env("FAKETIME_TIMESTAMP_FILE", &self.file)
            .env("FAKETIME_DONT_FAKE_MONOTONIC", "1")
            .env("FAKETIME_CACHE_DURATION", "1");
    }
}
