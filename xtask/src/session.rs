//! One run of a command: where the workspace is, how a program is started in it, and where the
//! time went.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

/// What every command needs to know and to write down.
#[derive(Debug)]
pub(crate) struct Session {
    root: PathBuf,
    target: PathBuf,
    /// Where programs are looked for. Cargo's own folder is among them, because `cargo install`
    /// puts them there and not every shell has it on its path.
    path: OsString,
    steps: Vec<(String, Duration)>,
}

impl Session {
    /// Finds the workspace that this program belongs to.
    pub(crate) fn open() -> Result<Self> {
        let manifest = env::var_os("CARGO_MANIFEST_DIR")
            .context("started by itself: run it as `cargo xtask`")?;
        let root = Path::new(&manifest)
            .parent()
            .context("xtask lies in the workspace's folder")?
            .to_path_buf();
        let mut session = Self {
            target: root.join("target"),
            root,
            path: search_path()?,
            steps: Vec::new(),
        };
        session.target = session.read_target_folder()?;
        Ok(session)
    }

    /// A path inside the workspace.
    pub(crate) fn file(&self, relative: &str) -> PathBuf {
        self.root.join(relative)
    }

    /// A path inside cargo's target folder, wherever the environment or a configuration put it.
    pub(crate) fn target(&self, relative: &str) -> PathBuf {
        self.target.join(relative)
    }

    /// A program to start in the workspace's folder.
    pub(crate) fn command(&self, program: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(program);
        command
            .args(arguments)
            .current_dir(&self.root)
            .env("PATH", &self.path);
        command
    }

    /// Where a program is, if it is anywhere.
    pub(crate) fn find_program(&self, name: &str) -> Option<PathBuf> {
        env::split_paths(&self.path)
            .map(|folder| folder.join(name))
            .find(|file| file.is_file())
    }

    /// What a program prints, if it is there and succeeds.
    pub(crate) fn ask(&self, program: &str, arguments: &[&str]) -> Option<String> {
        let output = self
            .command(program, arguments)
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .output();
        let output = output.ok().filter(|output| output.status.success())?;
        Some(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    }

    /// The version of a package that Cargo.lock fixes.
    pub(crate) fn locked_version(&self, package: &str) -> Result<String> {
        let lock = fs::read_to_string(self.file("Cargo.lock")).context("Cargo.lock")?;
        find_locked_version(&lock, package)
            .with_context(|| format!("Cargo.lock names no package {package}"))
    }

    /// Says what begins and why it takes its time, does it, and notes how long it took.
    pub(crate) fn step<T>(
        &mut self,
        name: &str,
        why: &str,
        work: impl FnOnce(&Self) -> Result<T>,
    ) -> Result<T> {
        println!("==> {name}: {why}");
        let start = Instant::now();
        let result = work(self).with_context(|| name.to_owned());
        let elapsed = start.elapsed();
        println!("    {name}: {}", seconds(elapsed));
        self.steps.push((name.to_owned(), elapsed));
        result
    }

    /// A table of where the time went.
    pub(crate) fn print_times(&self) {
        if self.steps.is_empty() {
            return;
        }
        println!("\n{:<34}{:>10}", "step", "time");
        for (name, elapsed) in &self.steps {
            println!("{name:<34}{:>10}", seconds(*elapsed));
        }
        let total: Duration = self.steps.iter().map(|(_, elapsed)| *elapsed).sum();
        println!("{:<34}{:>10}\n", "total", seconds(total));
    }

    fn read_target_folder(&self) -> Result<PathBuf> {
        let arguments = ["metadata", "--no-deps", "--format-version", "1"];
        let metadata = self
            .ask("cargo", &arguments)
            .context("`cargo metadata` failed")?;
        let metadata: serde_json::Value = serde_json::from_str(&metadata)?;
        let folder = metadata["target_directory"].as_str();
        Ok(PathBuf::from(
            folder.context("`cargo metadata` names no target folder")?,
        ))
    }
}

/// Runs a program to its end; anything but success is an error that names it.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    println!("    $ {}", describe(command));
    let status = command
        .status()
        .with_context(|| format!("cannot start {}", describe(command)))?;
    if !status.success() {
        bail!("`{}` ended with {status}", describe(command));
    }
    Ok(())
}

/// A command as one would type it.
pub(crate) fn describe(command: &Command) -> String {
    let words = [command.get_program()]
        .into_iter()
        .chain(command.get_args());
    words
        .map(|word| word.to_string_lossy().into_owned())
        .collect::<Vec<_>>()
        .join(" ")
}

/// A duration for people.
pub(crate) fn seconds(elapsed: Duration) -> String {
    format!("{:.1} s", elapsed.as_secs_f64())
}

fn search_path() -> Result<OsString> {
    let cargo_home = env::var_os("CARGO_HOME").map(PathBuf::from).or_else(|| {
        let home = env::home_dir()?;
        Some(home.join(".cargo"))
    });
    let installed = cargo_home.map(|home| home.join("bin"));
    let path = env::var_os("PATH").unwrap_or_default();
    // The folder goes last: what the user's shell finds first stays first.
    let folders = env::split_paths(&path).chain(installed);
    Ok(env::join_paths(folders)?)
}

fn find_locked_version(lock: &str, package: &str) -> Option<String> {
    let name = format!("name = \"{package}\"");
    let mut lines = lock.lines().skip_while(|line| *line != name);
    let version = lines.nth(1)?.strip_prefix("version = \"")?;
    Some(version.strip_suffix('"')?.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOCK: &str = "[[package]]\nname = \"wasm-bindgen-macro\"\nversion = \"0.1.0\"\n\n\
                        [[package]]\nname = \"wasm-bindgen\"\nversion = \"0.2.130\"\n";

    #[test]
    fn the_locked_version_is_that_of_the_whole_name() {
        assert_eq!(
            find_locked_version(LOCK, "wasm-bindgen").as_deref(),
            Some("0.2.130")
        );
        assert_eq!(find_locked_version(LOCK, "wasm"), None);
    }
}
