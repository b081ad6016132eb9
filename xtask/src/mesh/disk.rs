//! A small disk of a node's own: a file with a file system in it, which can be full, and can hang.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

/// Room for the jobs of some minutes; on the real disk it takes what is written.
const BYTES: u64 = 2 << 30;

/// Takes all room that is left.
const FILLER: &str = "filler";

/// It is in this process's mount namespace, and goes with the value.
#[derive(Debug)]
pub(crate) struct Disk {
    image: PathBuf,
    folder: PathBuf,
    is_frozen: bool,
}

impl Disk {
    /// Makes one and mounts it at a folder, which is empty.
    pub(super) fn mount(image: &Path, folder: &Path) -> Result<Self> {
        File::create(image)?.set_len(BYTES)?;
        let (from, to) = (image.display().to_string(), folder.display().to_string());
        run("mkfs.ext4", &["-q", "-m", "0", &from])?;
        run("mount", &["-o", "loop", &from, &to])?;
        Ok(Self {
            image: image.to_path_buf(),
            folder: folder.to_path_buf(),
            is_frozen: false,
        })
    }

    /// Whoever writes next finds no room.
    pub(crate) fn fill(&self) -> Result<()> {
        let path = self.folder.join(FILLER);
        // The file system needs some of it for itself; the rest is written until nothing goes any more.
        let most = self.bytes_left()? / 100 * 98;
        let text = path.display().to_string();
        run("fallocate", &["--length", &most.to_string(), &text])?;
        let mut filler = File::options().append(true).open(path)?;
        loop {
            match filler.write_all(&[0; 4096]) {
                Ok(()) => {}
                Err(error) if error.kind() == std::io::ErrorKind::StorageFull => return Ok(()),
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// There is room again.
    pub(crate) fn clear(&self) -> Result<()> {
        match fs::remove_file(self.folder.join(FILLER)) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
            removed => Ok(removed?),
        }
    }

    /// Whoever writes waits until it is thawed. A process that waits cannot be killed.
    pub(crate) fn freeze(&mut self) -> Result<()> {
        run(
            "fsfreeze",
            &["--freeze", &self.folder.display().to_string()],
        )?;
        self.is_frozen = true;
        Ok(())
    }

    pub(crate) fn thaw(&mut self) -> Result<()> {
        if std::mem::take(&mut self.is_frozen) {
            run(
                "fsfreeze",
                &["--unfreeze", &self.folder.display().to_string()],
            )?;
        }
        Ok(())
    }

    fn bytes_left(&self) -> Result<u64> {
        let folder = self.folder.display().to_string();
        let output = Command::new("df")
            .args(["--block-size=1", "--output=avail", &folder])
            .output()?;
        let text = String::from_utf8(output.stdout)?;
        let left = text.lines().nth(1).context("df says what is left")?;
        Ok(left.trim().parse()?)
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // What is left of it is removed with its namespace.
        let _ = self.thaw();
        let _ = run("umount", &[&self.folder.display().to_string()]);
        let _ = fs::remove_file(&self.image);
    }
}

fn run(program: &str, arguments: &[&str]) -> Result<()> {
    let output = Command::new(program)
        .args(arguments)
        .output()
        .with_context(|| format!("cannot start {program}"))?;
    if !output.status.success() {
        let error = String::from_utf8_lossy(&output.stderr);
        bail!("{program} {}: {error}", arguments.join(" "));
    }
    Ok(())
}
