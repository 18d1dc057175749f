//! The export as a workbook, made of the lines of the CSV while they come: the same rows of the same moment, whole or
//! broken. Nothing of it lies in a file or in memory for longer than it takes to send it.

use std::future::poll_fn;
use std::sync::Arc;

use bytes::Bytes;
use csv_core::{ReadRecordResult, Reader, ReaderBuilder, Terminator};
use tidemark_domain::id::BatchId;
use tidemark_domain::xlsx::{FILES, MAX_ROWS, SHEET, SheetWriter};
use tokio::sync::mpsc;

use super::stream::{ExportStream, Piece};
use super::{Export, ExportOptions, ExportRefused, Recipient};
use crate::engine::Engine;
use crate::stop::Stop;
use crate::zip::{Archive, TooLarge};

/// Chunks that wait for a slow client.
const CHUNKS_AHEAD: usize = 1;
/// Bytes of a chunk, about.
const CHUNK: usize = 64 << 10;
/// Lines that are taken apart at once, in bytes.
const SLICE: usize = 64 << 10;
/// Text of a sheet that is packed at once.
const PACKED: usize = 64 << 10;

/// Why there is no workbook.
#[derive(Debug, thiserror::Error)]
pub enum WorkbookRefused {
    #[error("the workbook would have {rows} rows below its header, and a sheet holds {MAX_ROWS}")]
    TooManyRows { rows: u64 },
    #[error(transparent)]
    Export(#[from] ExportRefused),
}

/// What a workbook will hold, fixed when it began.
pub struct Workbook(Export);

impl Workbook {
    /// The export that it is made of.
    pub const fn export(&self) -> &Export {
        &self.0
    }
}

impl Engine {
    /// Fixes a workbook of these batches, as [`Engine::plan_export`] does a CSV file.
    pub async fn plan_workbook(
        &self,
        to: impl Recipient,
        ids: &[BatchId],
    ) -> Result<Workbook, WorkbookRefused> {
        // Texts are texts in a workbook: no guard is needed.
        let export = self.plan_export(to, ids, ExportOptions::default()).await?;
        if export.row_count > MAX_ROWS {
            return Err(WorkbookRefused::TooManyRows {
                rows: export.row_count,
            });
        }
        Ok(Workbook(export))
    }

    /// Begins to produce a workbook's bytes.
    pub fn stream_workbook(self: &Arc<Self>, Workbook(export): Workbook, stop: Stop) -> ExportStream {
        let rows = export.row_count;
        let lines = self.stream_export(export, stop);
        let (sender, pieces) = mpsc::channel(CHUNKS_AHEAD);
        let engine = self.clone();
        tokio::spawn(async move { engine.make_workbook(lines, sender).await });
        ExportStream::new(pieces, rows)
    }

    /// Whatever ends it early drops the sender, and with it breaks the workbook.
    async fn make_workbook(&self, mut lines: ExportStream, sender: mpsc::Sender<Piece>) {
        let mut maker = Maker::new();
        while let Some(Ok(mut bytes)) = poll_fn(|cx| lines.poll_next(cx)).await {
            while !bytes.is_empty() {
                let slice = bytes.split_to(bytes.len().min(SLICE));
                if let Err(error) = self.compute(|| maker.lines(&slice)).await {
                    tracing::warn!(?error, "a workbook broke off");
                    return;
                }
                if maker.archive.ready() >= CHUNK && sender.send(maker.chunk()).await.is_err() {
                    return;
                }
            }
        }
        // A stream that broke says so again.
        if poll_fn(|cx| lines.poll_next(cx)).await.is_some() {
            return;
        }
        match maker.finish() {
            Ok(()) => {
                if sender.send(maker.chunk()).await.is_ok() {
                    let _ = sender.send(Piece::End).await;
                }
            }
            Err(error) => tracing::warn!(?error, "a workbook broke off"),
        }
    }
}

/// Why a workbook cannot go on.
#[derive(Debug)]
enum Failed {
    /// The lines end in the middle of one.
    Lines,
    /// The sheet is larger than a ZIP archive can say.
    TooLarge,
}

impl From<TooLarge> for Failed {
    fn from(_: TooLarge) -> Self {
        Self::TooLarge
    }
}

/// Takes lines apart and puts a sheet together.
struct Maker {
    reader: Reader,
    /// The cells of the line that is being read, one behind the other, and where each ends.
    cells: Vec<u8>,
    ends: Vec<usize>,
    filled: usize,
    ended: usize,
    sheet: SheetWriter,
    archive: Archive,
    is_begun: bool,
    /// Rows since the last chunk, the header left out.
    rows: u64,
}

impl Maker {
    fn new() -> Self {
        Self {
            reader: ReaderBuilder::new().terminator(Terminator::Any(b'\n')).build(),
            cells: vec![0; 1 << 10],
            ends: vec![0; 16],
            filled: 0,
            ended: 0,
            sheet: SheetWriter::default(),
            archive: Archive::new(),
            is_begun: false,
            rows: 0,
        }
    }

    fn begin(&mut self) -> Result<(), TooLarge> {
        for (name, content) in FILES {
            self.archive.add(name, content.as_bytes())?;
        }
        self.is_begun = true;
        self.archive.begin(SHEET)
    }

    /// Adds some bytes of the CSV.
    fn lines(&mut self, mut bytes: &[u8]) -> Result<(), Failed> {
        if !self.is_begun {
            self.begin()?;
        }
        while !bytes.is_empty() {
            let (result, read, wrote, ended) = self.reader.read_record(
                bytes,
                &mut self.cells[self.filled..],
                &mut self.ends[self.ended..],
            );
            bytes = &bytes[read..];
            self.filled += wrote;
            self.ended += ended;
            match result {
                ReadRecordResult::InputEmpty | ReadRecordResult::End => {}
                ReadRecordResult::OutputFull => self.cells.resize(self.cells.len() * 2, 0),
                ReadRecordResult::OutputEndsFull => self.ends.resize(self.ends.len() * 2, 0),
                ReadRecordResult::Record => self.row()?,
            }
        }
        Ok(())
    }

    fn row(&mut self) -> Result<(), Failed> {
        let line = std::str::from_utf8(&self.cells[..self.filled]).map_err(|_| Failed::Lines)?;
        let ends = &self.ends[..self.ended];
        let begins = std::iter::once(0).chain(ends.iter().copied());
        let cells: Option<Vec<&str>> = begins.zip(ends).map(|(from, to)| line.get(from..*to)).collect();
        self.rows += u64::from(self.sheet.rows() > 0);
        self.sheet.row(cells.ok_or(Failed::Lines)?.into_iter());
        (self.filled, self.ended) = (0, 0);
        if self.sheet.out.len() >= PACKED {
            self.pack()?;
        }
        Ok(())
    }

    fn pack(&mut self) -> Result<(), TooLarge> {
        self.archive.write(self.sheet.out.as_bytes())?;
        self.sheet.out.clear();
        Ok(())
    }

    fn finish(&mut self) -> Result<(), Failed> {
        if self.filled > 0 || self.ended > 0 || self.sheet.rows() == 0 {
            return Err(Failed::Lines);
        }
        self.sheet.finish();
        self.pack()?;
        self.archive.end()?;
        Ok(self.archive.finish()?)
    }

    /// What is ready, with the rows that came since the last chunk: those whose bytes are still being packed come before
    /// the end all the same.
    fn chunk(&mut self) -> Piece {
        Piece::Chunk {
            bytes: Bytes::from(self.archive.take()),
            rows: std::mem::take(&mut self.rows),
        }
    }
}
