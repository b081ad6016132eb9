//! One node: a process, its namespace, its folder, its log.

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process};

use super::calendar::Calendar;
use super::disk::Disk;
use super::{Api, Network};

/// The port that every node listens on, each in its own namespace.
const PORT: u16 = 8080;

/// A node, running or not; its process ends with the value.
#[derive(Debug)]
pub(crate) struct Node {
    namespace: String,
    address: String,
    binary: PathBuf,
    data: PathBuf,
    log: PathBuf,
    threads: u32,
    options: Vec<String>,
    short_id: String,
    child: Option<Child>,
    disk: Option<Disk>,
    calendar: Option<Calendar>,
}

impl Node {
    pub(super) fn new(
        network: &Network,
        index: usize,
        binary: &Path,
        folder: &Path,
        (threads, options): (u32, &[&str]),
    ) -> Result<Self> {
        let data = folder.join(format!("node{index}"));
        fs::create_dir_all(&data)?;
        Ok(Self {
            namespace: network.namespace(index),
            address: format!("{}:{PORT}", network.address(index)),
            binary: binary.to_path_buf(),
            log: folder.join(format!("node{index}.log")),
            data,
            threads,
            options: options.iter().map(ToString::to_string).collect(),
            short_id: String::new(),
            child: None,
            disk: None,
            calendar: None,
        })
    }

    /// A disk and a calendar that nobody else has.
    pub(super) fn give_own_machine(&mut self) -> Result<()> {
        let image = self.log.with_extension("disk");
        self.disk = Some(Disk::mount(&image, &self.data)?);
        self.calendar = Some(Calendar::at(&self.log.with_extension("calendar"))?);
        Ok(())
    }

    pub(crate) fn disk(&mut self) -> Result<&mut Disk> {
        self.disk.as_mut().context("the node has a disk of its own")
    }

    pub(crate) fn calendar(&self) -> Result<&Calendar> {
        self.calendar
            .as_ref()
            .context("the node has a calendar of its own")
    }

    /// It is found there from now on.
    pub(crate) fn set_address(&mut self, address: &str) {
        self.address = format!("{address}:{PORT}");
    }

    /// All that it had is gone: whoever starts here is another node.
    pub(crate) fn wipe(&mut self) -> Result<()> {
        for entry in fs::read_dir(&self.data)? {
            let path = entry?.path();
            if path.ends_with("lost+found") {
                continue;
            }
            match path.is_dir() {
                true => fs::remove_dir_all(path)?,
                false => fs::remove_file(path)?,
            }
        }
        Ok(())
    }

    /// The id of its process.
    pub(crate) fn process(&self) -> Option<u32> {
        self.child.as_ref().map(Child::id)
    }

    /// Bytes of the files in its folder.
    pub(crate) fn disk_bytes(&self) -> Result<u64> {
        folder_bytes(&self.data)
    }

    /// Starts the process on its folder and waits until it listens.
    pub(crate) fn start(&mut self) -> Result<()> {
        let log = File::options().create(true).append(true).open(&self.log)?;
        // `ip netns exec` becomes the node, so the child's id is the node's.
        let mut command = Command::new("ip");
        if let Some(calendar) = &self.calendar {
            calendar.give_to(&mut command);
        }
        let mut child = command
            .args(["netns", "exec", &self.namespace])
            .arg(&self.binary)
            .args(["serve", "--threads", &self.threads.to_string()])
            .arg("--data-dir")
            .arg(&self.data)
            .args(&self.options)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .context("cannot start a node")?;
        let output = child.stdout.take().context("it was asked for")?;
        let mut lines = BufReader::new(output).lines();
        let line = lines.next().context("a node ended before it listened")??;
        // Whatever else it prints must find a reader.
        std::thread::spawn(move || lines.for_each(drop));
        let (_, id) = line
            .split_once(" node=")
            .with_context(|| format!("not the line of a node that listens: {line}"))?;
        id.clone_into(&mut self.short_id);
        self.child = Some(child);
        Ok(())
    }

    /// The first digits of its id.
    pub(crate) fn short_id(&self) -> &str {
        &self.short_id
    }

    /// `host:port`
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// Whether it has threads that compute.
    pub(crate) fn computes(&self) -> bool {
        self.threads > 0
    }

    pub(crate) fn is_running(&self) -> bool {
        self.child.is_some()
    }

    pub(crate) fn api(&self) -> Api {
        Api::new(&self.address)
    }

    /// Fails when the process ended by itself: nobody asked it to.
    pub(crate) fn check(&mut self) -> Result<()> {
        let Some(child) = &mut self.child else {
            return Ok(());
        };
        match child.try_wait()? {
            Some(status) => bail!("node {} ended by itself: {status}", self.short_id),
            None => Ok(()),
        }
    }

    /// As by pulling its plug: SIGKILL.
    pub(crate) fn kill(&mut self) -> Result<()> {
        if let Some(disk) = &mut self.disk {
            // Who waits for it could not be killed.
            disk.thaw()?;
        }
        if let Some(mut child) = self.child.take() {
            child.kill()?;
            child.wait()?;
        }
        Ok(())
    }

    pub(crate) fn signal(&self, signal: Signal) -> Result<()> {
        if let Some(child) = &self.child {
            kill_process(Pid::from_child(child), signal)?;
        }
        Ok(())
    }

    /// Everything that it logged, over all its lives.
    pub(crate) fn log_lines(&self) -> Result<Vec<String>> {
        let text = fs::read_to_string(&self.log)?;
        Ok(text.lines().map(str::to_owned).collect())
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.kill();
    }
}

fn folder_bytes(folder: &Path) -> Result<u64> {
    let mut bytes = 0;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        bytes += match entry.metadata() {
            Ok(facts) if facts.is_dir() => folder_bytes(&entry.path())?,
            Ok(facts) => facts.len(),
            // Removed meanwhile.
            Err(_) => 0,
        };
    }
    Ok(bytes)
}
