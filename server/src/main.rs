//! matmesh: every device on one local network shares matrix multiplications.

use std::process::ExitCode;

use clap::Parser;

use server::cli::{self, Cli, Command, ServeArgs};
use server::config::Config;
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
    #[derive(rust_embed::RustEmbed)]
    #[folder = "../target/site"]
    struct Site;

    // A build with another site is another build, also where only a file came.
    let _ = option_env!("MATMESH_SITE");
    SiteFiles::Embedded(|path| Site::get(path).map(|file| file.data.into_owned()))
}

#[cfg(not(feature = "embed"))]
fn site_files() -> SiteFiles {
    SiteFiles::Folder(server::config::site_root())
}

fn fail(error: &anyhow::Error, code: u8) -> ExitCode {
    eprintln!("matmesh: {error:#}");
    ExitCode::from(code)
}
