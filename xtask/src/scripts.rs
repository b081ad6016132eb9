//! The scripts that make a page compute, as they are sent: each group in one file, without comments.
//!
//! In `public/` they are small files to be read, and a browser can run them as they are, which is what
//! `cargo leptos serve` does. A phone that joins would fetch each by itself, one after the other as
//! it finds their names, and most of their bytes are there for people.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result, bail, ensure};
use minifier::js;

/// What a thread runs, in the order in which the scripts refer to each other.
const THREAD_SCRIPTS: [&str; 2] = ["wasm-kernel.js", "kernel-worker.js"];

/// The module that lists them.
const FILES: &str = "files.js";

/// One script of those that import each other, by its name in their folder.
pub(crate) type Modules = BTreeMap<String, String>;

/// One module of the module `main` and all that it imports. Each gets a scope of its own, so that
/// their names do not meet.
pub(crate) fn bundle(modules: &Modules, main: &str) -> Result<String> {
    let mut bundled = String::new();
    let mut done = BTreeSet::new();
    append(modules, main, &mut done, &mut bundled)?;
    let exported = Module::read(modules, main)?.exports.join(", ");
    bundled += &format!("export const {{ {exported} }} = {};\n", scope_of(main));
    Ok(bundled)
}

/// Makes one script of those that a thread runs, and tells the module that fetches them: each file
/// more is a question and an answer more before a phone computes.
pub(crate) fn join_thread_scripts(modules: &mut Modules) -> Result<()> {
    let named = THREAD_SCRIPTS.map(|name| format!("'{name}'")).join(", ");
    let [.., last] = THREAD_SCRIPTS;
    let list = |names: &str| format!("const THREAD_SCRIPTS = [{names}];");
    let files = modules.get_mut(FILES).context(FILES)?;
    ensure!(
        files.contains(&list(&named)),
        "{FILES} does not list {named}"
    );
    *files = files.replace(&list(&named), &list(&format!("'{last}'")));
    let texts: Result<Vec<&String>> = THREAD_SCRIPTS
        .iter()
        .map(|name| modules.get(*name).with_context(|| (*name).to_owned()))
        .collect();
    let joined: String = texts?.into_iter().flat_map(|text| [text, "\n"]).collect();
    modules.insert(last.to_owned(), joined);
    Ok(())
}

/// The same without comments and white space.
pub(crate) fn minify(script: &str) -> String {
    js::minify(script).to_string()
}

/// A module without its `import` and `export`.
struct Module {
    /// What it imports: the names, and the module that has them.
    imports: Vec<(String, String)>,
    exports: Vec<String>,
    body: String,
}

impl Module {
    fn read(modules: &Modules, name: &str) -> Result<Self> {
        let text = modules
            .get(name)
            .with_context(|| format!("there is no script {name}"))?;
        let mut module = Self {
            imports: Vec::new(),
            exports: Vec::new(),
            body: String::new(),
        };
        for line in text.lines() {
            if let Some(import) = line.strip_prefix("import ") {
                let parts = import.split_once(" from './");
                let (names, from) = parts
                    .and_then(|(names, from)| Some((names, from.strip_suffix("';")?)))
                    .with_context(|| format!("{name}: write `import {{ … }} from './x.js';`"))?;
                module.imports.push((names.to_owned(), from.to_owned()));
            } else if let Some(declared) = line.strip_prefix("export ") {
                module.exports.push(declared_name(declared, name)?);
                module.body += declared;
                module.body.push('\n');
            } else {
                module.body += line;
                module.body.push('\n');
            }
        }
        Ok(module)
    }
}

fn append(
    modules: &Modules,
    name: &str,
    done: &mut BTreeSet<String>,
    bundled: &mut String,
) -> Result<()> {
    if !done.insert(name.to_owned()) {
        return Ok(());
    }
    let module = Module::read(modules, name)?;
    for (_, from) in &module.imports {
        append(modules, from, done, bundled)?;
    }
    *bundled += &format!("const {} = (() => {{\n", scope_of(name));
    for (names, from) in &module.imports {
        *bundled += &format!("const {names} = {};\n", scope_of(from));
    }
    *bundled += &module.body;
    *bundled += &format!("return {{ {} }};\n}})();\n", module.exports.join(", "));
    Ok(())
}

/// The name that an exported declaration gives.
fn declared_name(declared: &str, script: &str) -> Result<String> {
    let mut words = declared
        .split([' ', '(', '='])
        .filter(|word| !word.is_empty());
    let (kind, mut name) = (words.next(), words.next());
    if (kind, name) == (Some("async"), Some("function")) {
        name = words.next();
    }
    match (kind, name) {
        (Some("const" | "function" | "async" | "class"), Some(name)) => Ok(name.to_owned()),
        _ => bail!("{script}: export a const, a function or a class where it is declared"),
    }
}

/// `kernel-worker.js` is `$kernel_worker`, a name that no script uses.
fn scope_of(name: &str) -> String {
    let stem = name.trim_end_matches(".js").replace('-', "_");
    format!("${stem}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn modules(of: &[(&str, &str)]) -> Modules {
        let named = of
            .iter()
            .map(|(name, text)| (name.to_string(), text.to_string()));
        named.collect()
    }

    #[test]
    fn a_bundle_has_each_module_once_and_before_those_that_import_it() {
        let modules = modules(&[
            (
                "a.js",
                "import { b } from './b.js';\nimport { c } from './c.js';\nexport function a() { return b + c; }",
            ),
            ("b.js", "import { c } from './c.js';\nexport const b = c;"),
            ("c.js", "const own = 1;\nexport const c = own;"),
        ]);
        let bundled = bundle(&modules, "a.js").expect("all are there");
        let places = [
            "const $c = ",
            "const $b = ",
            "const $a = ",
            "export const { a } = $a;",
        ]
        .map(|part| bundled.find(part).expect("it is in the bundle"));
        assert!(places.is_sorted(), "{bundled}");
        assert_eq!(bundled.matches("const own").count(), 1);
        assert!(!bundled.contains("import "), "{bundled}");
    }

    #[test]
    fn what_cannot_be_bundled_is_named() {
        for (text, why) in [
            ("import b from './b.js';", "there is no script"),
            ("import { b } from \"b\";", "write `import"),
            ("export default 1;", "where it is declared"),
            ("export { b };", "where it is declared"),
        ] {
            let error = bundle(&modules(&[("a.js", text)]), "a.js").expect_err(text);
            assert!(format!("{error:#}").contains(why), "{text}: {error:#}");
        }
    }

    #[test]
    fn a_thread_runs_one_script() {
        let list = "const THREAD_SCRIPTS = ['wasm-kernel.js', 'kernel-worker.js'];";
        let mut scripts = modules(&[
            ("files.js", list),
            ("wasm-kernel.js", "one();"),
            ("kernel-worker.js", "two();"),
        ]);
        join_thread_scripts(&mut scripts).expect("all are there");
        assert_eq!(
            scripts["files.js"],
            "const THREAD_SCRIPTS = ['kernel-worker.js'];"
        );
        assert_eq!(scripts["kernel-worker.js"], "one();\ntwo();\n");
        let mut other = modules(&[("files.js", "const THREAD_SCRIPTS = [];")]);
        join_thread_scripts(&mut other).expect_err("the list is another");
    }

    #[test]
    fn comments_are_gone_and_strings_stay() {
        let text = "// why\nconst a = 'http://x'; /* and */ const b = `//${a}`;";
        let small = minify(text);
        assert!(!small.contains("why") && !small.contains("and"), "{small}");
        assert!(
            small.contains("http://x") && small.contains("`//${a}`"),
            "{small}"
        );
    }
}
