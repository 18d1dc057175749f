//! Writes every page of the dashboard, of made-up data, into a folder, with the files that pages need:
//! `cargo run --features testing --example ui_pages -- FOLDER`. `scripts/screenshots` and `scripts/ui-check` look at them.

use std::path::PathBuf;

use anyhow::Context as _;
use tidemark::ui::{assets, samples};

fn main() -> anyhow::Result<()> {
    let folder: PathBuf = std::env::args_os()
        .nth(1)
        .context("Usage: ui_pages FOLDER")?
        .into();
    std::fs::create_dir_all(folder.join("assets"))?;
    for asset in assets::all() {
        std::fs::write(folder.join("assets").join(&asset.name), &asset.body)?;
    }
    for sample in samples::all() {
        std::fs::write(folder.join(format!("{}.html", sample.name)), sample.html)?;
    }
    Ok(())
}
