//! Programs that come from the operating system: looked for, installed where that is possible
//! (apt-get as root), else named with what to install.

use std::path::Path;

use anyhow::{Result, bail};

use crate::session::{Session, run};

/// A program that a check needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Program {
    Make,
    Perl,
    OpenSsl,
    PkgConfig,
    Node,
    Npm,
    Chromium,
    Ip,
    Curl,
    Nft,
    Unshare,
    ArmLinker,
    ArmLibrary,
    ArmEmulator,
    Valgrind,
    Faketime,
    FileSystem,
    FreezeDisk,
}

/// The names under which distributions install Chromium.
const CHROMIUM_NAMES: [&str; 4] = [
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
];

/// Where Debian puts the C library for 64-bit Arm, below the folder that the emulator is given.
const ARM_LIBRARY: &str = "/usr/aarch64-linux-gnu/lib/libc.so.6";

impl Program {
    fn is_there(self, session: &Session) -> bool {
        let has = |name: &str| session.find_program(name).is_some();
        match self {
            Self::Make => has("make"),
            Self::Perl => has("perl"),
            Self::OpenSsl => session
                .ask("pkg-config", &["--exists", "openssl"])
                .is_some(),
            Self::PkgConfig => has("pkg-config"),
            Self::Node => has("node"),
            Self::Npm => has("npm"),
            Self::Chromium => find_chromium(session).is_some(),
            Self::Ip => has("ip"),
            Self::Curl => has("curl"),
            Self::Nft => has("nft"),
            Self::Unshare => has("unshare"),
            Self::ArmLinker => has("aarch64-linux-gnu-gcc"),
            Self::ArmLibrary => Path::new(ARM_LIBRARY).exists(),
            Self::ArmEmulator => has("qemu-aarch64"),
            Self::Valgrind => has("valgrind"),
            Self::Faketime => find_faketime().is_some(),
            Self::FileSystem => has("mkfs.ext4"),
            Self::FreezeDisk => has("fsfreeze"),
        }
    }

    /// The Debian package that brings it.
    fn package(self) -> &'static str {
        match self {
            Self::Make => "make",
            Self::Perl => "perl",
            Self::OpenSsl => "libssl-dev",
            Self::PkgConfig => "pkg-config",
            Self::Node => "nodejs",
            Self::Npm => "npm",
            Self::Chromium => "chromium",
            Self::Ip => "iproute2",
            Self::Curl => "curl",
            Self::Nft => "nftables",
            Self::Unshare | Self::FreezeDisk => "util-linux",
            Self::ArmLinker => "gcc-aarch64-linux-gnu",
            Self::ArmLibrary => "libc6-dev-arm64-cross",
            Self::ArmEmulator => "qemu-user",
            Self::Valgrind => "valgrind",
            Self::Faketime => "libfaketime",
            Self::FileSystem => "e2fsprogs",
        }
    }
}

/// Makes sure that all of these are there.
pub(crate) fn ensure(session: &mut Session, programs: &[Program]) -> Result<()> {
    let missing = programs.iter().filter(|program| !program.is_there(session));
    let packages: Vec<&str> = missing.map(|program| program.package()).collect();
    if packages.is_empty() {
        return Ok(());
    }
    let names = packages.join(" ");
    if !can_install(session) {
        bail!("missing: install the Debian packages {names}, or what your system calls them");
    }
    session.step("system packages", &names, |session| {
        install(session, &packages)
    })
}

/// OpenSSL, for a tool that would otherwise compile a copy of its own, which takes minutes. Says
/// with which variable the tool is told to take the system's, where that is there.
pub(crate) fn ensure_openssl(
    session: &mut Session,
) -> Result<Option<(&'static str, &'static str)>> {
    let system = [Program::PkgConfig, Program::OpenSsl];
    if system.iter().all(|program| program.is_there(session)) || can_install(session) {
        ensure(session, &system)?;
        return Ok(Some(("OPENSSL_NO_VENDOR", "1")));
    }
    println!(
        "    no OpenSSL here: compiling one, which takes two minutes more (the Debian packages \
         libssl-dev and pkg-config bring it)"
    );
    ensure(session, &[Program::Make, Program::Perl])?;
    Ok(None)
}

/// Whether packages can be installed without asking anybody.
fn can_install(session: &Session) -> bool {
    is_root(session) && session.find_program("apt-get").is_some()
}

/// Installs Debian packages.
pub(crate) fn install(session: &Session, packages: &[&str]) -> Result<()> {
    run(&mut session.command("apt-get", &["update", "--quiet=2"]))?;
    let arguments = ["install", "--yes", "--quiet=2", "--no-install-recommends"];
    let mut command = session.command("apt-get", &arguments);
    run(command
        .args(packages)
        .env("DEBIAN_FRONTEND", "noninteractive"))
}

/// Whether this process may do everything on this machine.
pub(crate) fn is_root(session: &Session) -> bool {
    session.ask("id", &["--user"]).as_deref() == Some("0")
}

/// The browser that the end-to-end tests drive.
pub(crate) fn find_chromium(session: &Session) -> Option<std::path::PathBuf> {
    CHROMIUM_NAMES
        .iter()
        .find_map(|name| session.find_program(name))
}

/// The library that gives a program with several threads another calendar.
pub(crate) fn find_faketime() -> Option<std::path::PathBuf> {
    let folders = std::fs::read_dir("/usr/lib").ok()?;
    let folders = folders.filter_map(|folder| Some(folder.ok()?.path()));
    let mut files = folders.map(|folder| folder.join("faketime/libfaketimeMT.so.1"));
    files.find(|file| file.is_file())
}
