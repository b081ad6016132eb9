//! The pages: their script in WebAssembly, their style sheet, and the files of `public`, which the
//! server embeds.
//!
//! What is left in `target/site` has the names that cargo-leptos gives: the suite `build` compares
//! them. cargo-leptos itself is what one works on the pages with (`cargo leptos serve` watches the
//! sources and reloads the page). It is not needed to serve, and compiling it takes longer than
//! compiling everything here.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use anyhow::{Context, Result, anyhow, bail, ensure};
use lightningcss::rules::CssRule;
use lightningcss::stylesheet::{MinifyOptions, ParserOptions, PrinterOptions, StyleSheet};
use lightningcss::targets::{Browsers, Targets};

use crate::scripts::{self, Modules, bundle};
use crate::session::{Session, run};
use crate::tools::WASM_TARGET;

/// What the pages are made from. The layer rule keeps this list true: `frontend` imports `app`,
/// `app` imports `wire`, and nothing else.
const SOURCES: [&str; 11] = [
    "Cargo.toml",
    "Cargo.lock",
    "rust-toolchain.toml",
    ".cargo",
    "crates/wire",
    "app",
    "frontend",
    "style",
    "public",
    "xtask/src/pages.rs",
    "xtask/src/scripts.rs",
];

/// `site-root` in the workspace's Cargo.toml.
const SITE: &str = "target/site";

/// The same files, each compressed where that makes it smaller.
const PACKED: &str = "target/site-packed";

/// The module of `public/compute` that imports the others.
const MAIN_MODULE: &str = "contributor.js";

/// `output-name` in the workspace's Cargo.toml. Leptos bakes it into the server, too, while it
/// compiles, and asks for other file names where it is not set.
pub(crate) const OUTPUT_NAME: &str = "matmesh";

/// `lib-profile-release` in the workspace's Cargo.toml.
const PROFILE: &str = "wasm-release";

/// The oldest browsers that get a style sheet they understand: those of 2021, the first with all of
/// the WebAssembly that the pages' script is written in.
const BROWSERS: Browsers = Browsers {
    android: None,
    chrome: Some(version(96, 0)),
    edge: Some(version(96, 0)),
    firefox: Some(version(90, 0)),
    ie: None,
    ios_saf: Some(version(15, 0)),
    opera: None,
    safari: Some(version(15, 0)),
    samsung: Some(version(17, 0)),
};

/// Builds the pages if anything they are made from has changed.
pub(crate) fn build(session: &mut Session) -> Result<()> {
    let stamp = session.target("xtask/pages.stamp");
    let before = describe(session)?;
    if fs::read_to_string(&stamp).is_ok_and(|known| known == before) {
        println!("    pages: built already");
        return Ok(());
    }
    let why = "compiling the script of the pages to WebAssembly; minutes the first time";
    session.step("pages", why, |session| {
        let styles = bundle_styles(&session.file("style/main.css"))?;
        let module = compile_script(session)?;
        let site = site(session);
        if site.exists() {
            fs::remove_dir_all(&site).with_context(|| site.display().to_string())?;
        }
        let package = site.join("pkg");
        copy_folder(&session.file("public"), &site)?;
        fs::create_dir_all(&package)?;
        bind_script(session, &module, &package)?;
        write_file(&package.join(format!("{OUTPUT_NAME}.css")), &styles)?;
        prepare_scripts(&site)?;
        pack(&site, &session.file(PACKED))
    })?;
    // Described after the build, because the build is what makes the site.
    write_file(&stamp, &describe(session)?)
}

/// Bundles and minifies the scripts of a site.
fn prepare_scripts(site: &Path) -> Result<()> {
    let folder = site.join("compute");
    let mut modules = Modules::new();
    for entry in fs::read_dir(&folder)? {
        let path = entry?.path();
        let name = path.file_name().context("a file has a name")?;
        modules.insert(name.to_string_lossy().into_owned(), read_file(&path)?);
    }
    scripts::join_thread_scripts(&mut modules)?;
    for (name, text) in &modules {
        write_file(&folder.join(name), text)?;
    }
    write_file(&folder.join(MAIN_MODULE), &bundle(&modules, MAIN_MODULE)?)?;
    for name in names(site)? {
        if name.extension().is_some_and(|extension| extension == "js") {
            let path = site.join(name);
            write_file(&path, &scripts::minify(&read_file(&path)?))?;
        }
    }
    Ok(())
}

/// Compresses each file of a site where that makes it smaller, once and as well as it can be done:
/// browsers take nothing but gzip from a node, for its pages are plain http.
fn pack(site: &Path, packed: &Path) -> Result<()> {
    if packed.exists() {
        fs::remove_dir_all(packed)?;
    }
    fs::create_dir_all(packed)?;
    for name in names(site)? {
        let bytes = fs::read(site.join(&name))?;
        let mut small = Vec::new();
        let options = zopfli::Options::default();
        zopfli::compress(options, zopfli::Format::Gzip, &bytes[..], &mut small)?;
        if small.len() < bytes.len() {
            let path = packed.join(name);
            let folder = path.parent().context("a file lies in a folder")?;
            fs::create_dir_all(folder)?;
            fs::write(&path, small).with_context(|| path.display().to_string())?;
        }
    }
    Ok(())
}

/// Where the pages are left.
pub(crate) fn site(session: &Session) -> PathBuf {
    session.file(SITE)
}

/// The files of a site, named as a browser asks for them.
pub(crate) fn names(site: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    list_files(site, &mut files)?;
    let names = files.iter().map(|file| file.strip_prefix(site));
    let mut names: Vec<PathBuf> = names.map(|name| Ok(name?.into())).collect::<Result<_>>()?;
    names.sort_unstable();
    Ok(names)
}

fn compile_script(session: &Session) -> Result<PathBuf> {
    // The folder in which cargo-leptos compiles pages, so that neither does it again.
    let folder = session.target("front");
    let arguments = ["build", "--package", "frontend", "--lib"];
    run(session
        .command("cargo", &arguments)
        .args(["--target", WASM_TARGET, "--profile", PROFILE])
        .arg("--target-dir")
        .arg(&folder)
        .env("LEPTOS_OUTPUT_NAME", OUTPUT_NAME))?;
    let module = folder.join(format!("{WASM_TARGET}/{PROFILE}/frontend.wasm"));
    ensure!(module.is_file(), "cargo built no {}", module.display());
    Ok(module)
}

/// Ties the module to JavaScript. Without wasm-opt: what it makes is smaller by a sixth, and larger by
/// a twelfth once it is compressed.
fn bind_script(session: &Session, module: &Path, package: &Path) -> Result<()> {
    // Names of functions are of use to a debugger, and a third of the file.
    let arguments = [
        "--remove-name-section",
        "--remove-producers-section",
        "--no-typescript",
        "--target",
        "web",
        "--out-name",
        OUTPUT_NAME,
        "--out-dir",
    ];
    run(session
        .command("wasm-bindgen", &arguments)
        .arg(package)
        .arg(module))?;
    // The name under which the pages ask for it.
    let bound = package.join(format!("{OUTPUT_NAME}.wasm"));
    fs::rename(package.join(format!("{OUTPUT_NAME}_bg.wasm")), &bound)?;
    Ok(())
}

/// One sheet of those that the main one imports, without white space, in words that [`BROWSERS`]
/// know. Lightning CSS could join them too, with some thirty packages more.
fn bundle_styles(main: &Path) -> Result<String> {
    let folder = main.parent().context("a file lies in a folder")?;
    let text = read_file(main)?;
    let mut styles = String::new();
    for rule in parse(main, &text)?.rules.0 {
        let CssRule::Import(import) = rule else {
            bail!(
                "{}: anything but an import has a sheet of its own",
                main.display()
            );
        };
        let is_plain = import.media.always_matches() && import.layer.is_none();
        ensure!(
            is_plain && import.supports.is_none(),
            "{}: the import of {} has a condition, which would be lost",
            main.display(),
            import.url
        );
        let path = folder.join(import.url.as_ref());
        styles += &minify_sheet(&path).with_context(|| path.display().to_string())?;
    }
    Ok(styles)
}

fn minify_sheet(path: &Path) -> Result<String> {
    let targets = Targets::from(BROWSERS);
    let text = read_file(path)?;
    let mut sheet = parse(path, &text)?;
    let imports = |rule: &CssRule<'_>| matches!(rule, CssRule::Import(_));
    ensure!(
        !sheet.rules.0.iter().any(imports),
        "only the main sheet imports"
    );
    sheet.minify(MinifyOptions {
        targets,
        ..MinifyOptions::default()
    })?;
    let printed = sheet.to_css(PrinterOptions {
        minify: true,
        targets,
        ..PrinterOptions::default()
    })?;
    Ok(printed.code)
}

fn parse<'text>(path: &Path, text: &'text str) -> Result<StyleSheet<'text>> {
    // What it says of a mistake borrows the text.
    StyleSheet::parse(text, ParserOptions::default())
        .map_err(|mistake| anyhow!("{}: {mistake}", path.display()))
}

/// As Lightning CSS writes a browser's version.
const fn version(major: u32, minor: u32) -> u32 {
    major << 16 | minor << 8
}

/// Everything that decides whether the pages must be built again: their sources, the tools, and
/// the built site itself, which `cargo leptos serve` overwrites with a debug build.
fn describe(session: &Session) -> Result<String> {
    let mut files = Vec::new();
    for source in SOURCES.iter().copied().chain([SITE, PACKED]) {
        let path = session.file(source);
        if path.exists() {
            list_files(&path, &mut files)?;
        }
    }
    files.sort_unstable();
    let mut lines = Vec::new();
    for file in &files {
        let facts = fs::metadata(file).with_context(|| file.display().to_string())?;
        let modified = facts.modified()?.duration_since(UNIX_EPOCH);
        let modified = modified.unwrap_or_default().as_nanos();
        lines.push(format!("{} {} {modified}", file.display(), facts.len()));
    }
    Ok(lines.join("\n"))
}

/// The files in a folder and in those below it; a file is listed as itself.
fn list_files(path: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    let facts = fs::metadata(path).with_context(|| path.display().to_string())?;
    if !facts.is_dir() {
        files.push(path.to_path_buf());
        return Ok(());
    }
    for entry in fs::read_dir(path)? {
        list_files(&entry?.path(), files)?;
    }
    Ok(())
}

fn copy_folder(from: &Path, to: &Path) -> Result<()> {
    let mut files = Vec::new();
    list_files(from, &mut files)?;
    for file in files {
        let copy = to.join(file.strip_prefix(from)?);
        let folder = copy.parent().context("a file lies in a folder")?;
        fs::create_dir_all(folder)?;
        fs::copy(&file, &copy).with_context(|| copy.display().to_string())?;
    }
    Ok(())
}

fn read_file(path: &Path) -> Result<String> {
    fs::read_to_string(path).with_context(|| path.display().to_string())
}

fn write_file(path: &Path, text: &str) -> Result<()> {
    let folder = path.parent().context("a file lies in a folder")?;
    fs::create_dir_all(folder)?;
    fs::write(path, text).with_context(|| path.display().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sheets_are_joined_and_put_in_words_of_older_browsers() {
        let main = Path::new(env!("CARGO_MANIFEST_DIR")).join("../style/main.css");
        let styles = bundle_styles(&main).expect("the pages' own styles");
        assert!(!styles.contains("@import"), "a sheet is still outside");
        assert!(!styles.contains("light-dark("), "not known before 2024");
        assert!(styles.contains("--ground:"), "the tokens came along");
    }

    #[test]
    fn a_sheet_with_a_mistake_is_named() {
        let missing = Path::new("nowhere/main.css");
        let error = bundle_styles(missing).expect_err("there is none");
        assert!(error.to_string().contains("nowhere/main.css"), "{error}");
        let mistake = parse(Path::new("broken.css"), "@media {{{").expect_err("no style sheet");
        assert!(mistake.to_string().contains("broken.css"), "{mistake}");
    }
}
