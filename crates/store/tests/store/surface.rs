//! No public method without a test.

use std::fs;
use std::path::Path;

/// The text of every file in a folder of this crate.
fn texts(folder: &str) -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
        .map(|path| fs::read_to_string(path).unwrap())
        .collect()
}

/// The public methods of `impl Store` and `impl Tx`, told by the formatter's layout.
fn public_methods(source: &str) -> Vec<String> {
    let (mut methods, mut inside) = (Vec::new(), false);
    for line in source.lines() {
        match line {
            "impl Store {" | "impl Tx {" => inside = true,
            "}" => inside = false,
            _ if inside => {
                let method = line
                    .strip_prefix("    pub async fn ")
                    .or_else(|| line.strip_prefix("    pub fn "));
                methods.extend(
                    method
                        .and_then(|rest| rest.split(['(', '<']).next())
                        .map(str::to_owned),
                );
            }
            _ => {}
        }
    }
    methods
}

#[test]
fn every_public_method_of_the_store_is_called_in_a_test() {
    let methods: Vec<String> = [texts("src"), texts("src/dashboard")]
        .concat()
        .iter()
        .flat_map(|source| public_methods(source))
        .collect();
    assert!(methods.len() > 30, "the methods were not found: {methods:?}");
    let tests = [texts("tests/store"), texts("tests/plans")].concat().concat();
    let is_called =
        |name: &String| tests.contains(&format!(".{name}(")) || tests.contains(&format!("Store::{name}("));
    let untested: Vec<&String> = methods.iter().filter(|name| !is_called(name)).collect();
    assert!(untested.is_empty(), "no test calls {untested:?}");
}
