//! Log lines: to standard error, as text or JSON, filtered by `RUST_LOG`.

use tracing_subscriber::EnvFilter;

use crate::config::LogFormat;

/// Everything at info; the libraries that announce each packet at warn.
const DEFAULT_FILTER: &str = "info,mdns_sd=error,sqlx=warn,hyper=warn,tower=warn";

/// Starts logging.
pub fn start(format: LogFormat) {
    let filter =
        EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(DEFAULT_FILTER));
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    match format {
        LogFormat::Text => {
            let terminal = std::io::IsTerminal::is_terminal(&std::io::stderr());
            lines.with_ansi(terminal).with_target(false).init();
        }
        LogFormat::Json => lines.json().init(),
    }
}
