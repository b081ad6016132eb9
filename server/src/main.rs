//! matmesh: every device on one local network shares matrix multiplications.

use std::process::ExitCode;

use clap::Parser;

use server::cli::{self, Cli, Command, ServeArgs};
use server::config::Config;
#[cfg(feature = "embed")]
use server::site::EmbeddedSite;
use server::site::SiteFiles;
use server::startup::{self, UsageError};
use server::telemetry;

fn main() -> ExitCode {
    match Cli::parse().into_command() {
        Command::Serve(args) => serve(&args),
        Command::Client(client) => cli::run_client(client),
    }
}

/// Runs a node. Exits 2 when it was called wrongly, 1 when it failed.
fn serve(args: &ServeArgs) -> ExitCode {
    let config = match Config::load(args) {
        Ok(config) => config,
        Err(error) => return fail(&error, 2),
    };
    telemetry::start(config.log_format);
    match startup::run_until_stopped(config, site_files()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if error.is::<UsageError>() => fail(&error, 2),
        Err(error) => fail(&error, 1),
    }
}

/// `cargo xtask build` puts the site into the binary.
#[cfg(feature = "embed")]
fn site_files() -> SiteFiles {
    use rust_embed::RustEmbed;

    #[derive(RustEmbed)]
    #[folder = "../target/site"]
    struct Site;

    #[derive(RustEmbed)]
    #[folder = "../target/site-packed"]
    struct PackedSite;

    // A build with another site is another build, also where only a file came.
    let _ = option_env!("MATMESH_SITE");
    SiteFiles::Embedded(EmbeddedSite {
        names: || Site::iter().map(Into::into).collect(),
        read: |path| Some(Site::get(path)?.data),
        read_packed: |path| Some(PackedSite::get(path)?.data),
    })
}

#[cfg(not(feature = "embed"))]
fn site_files() -> SiteFiles {
    SiteFiles::Folder(server::config::site_root())
}

fn fail(error: &anyhow::Error, code: u8) -> ExitCode {
    eprintln!("matmesh: {error:#}");
    ExitCode::from(code)
}
