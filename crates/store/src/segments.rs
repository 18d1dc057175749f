//! Segments: finished batches as exports send them, made once and sealed.
//!
//! All of a segment can be made again from the rows. So one that is missing, of another version or damaged is passed
//! over; nothing of it is ever served. A part opens only in its own batch, at its own place, beside the head that it
//! was made with.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use tidemark_domain::id::{BatchId, RequesterId};
use uuid::Uuid;

use crate::backend::{on, padded, padded_len, values};
use crate::encoding::{encode, fields};
use crate::error::Result;
use crate::keyring::RequesterKeys;
use crate::open::Store;
use crate::sealing::Purpose;

/// The version of what segments hold. A new one for every change of the lines, the layout or the compression: what
/// older programs made is then made again.
pub const SEGMENT_FORMAT: i32 = 1;

/// The forms in which a part is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Form {
    /// The lines, as a zstd frame.
    Zstd = 1,
    /// The lines, as a piece of a deflate stream that ends at a whole byte.
    Deflate = 2,
    /// Where in the lines the cells are, as a zstd frame.
    Layout = 3,
}

impl Form {
    pub const ALL: [Self; 3] = [Self::Zstd, Self::Deflate, Self::Layout];

    pub(crate) const fn stored(self) -> i16 {
        self as i16
    }
}

/// What is known of a part without reading it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SegmentPart {
    pub rows: u32,
    /// Bytes of the lines.
    pub len: u32,
    /// CRC-32 of the lines, as gzip has it (RFC 1952, section 8).
    pub crc32: u32,
    /// How many cells a guard would change.
    pub guards: u32,
    /// Bytes of the lines as a zstd frame, and as a piece of a deflate stream.
    pub zstd_len: u32,
    pub deflate_len: u32,
}

/// What a segment holds.
#[derive(Clone, PartialEq, Eq)]
pub struct SegmentHead {
    /// The metadata columns of its lines.
    pub keys: Vec<String>,
    pub parts: Vec<SegmentPart>,
}

/// A segment on its way into the database.
pub struct NewSegment {
    pub head: SegmentHead,
    /// For each part of the head, its bytes in each of [`Form::ALL`].
    pub forms: Vec<[Vec<u8>; 3]>,
}

/// A segment, sealed and ready to be stored.
pub struct SealedSegment {
    pub(crate) batch_id: BatchId,
    pub(crate) requester_id: RequesterId,
    pub(crate) head: Vec<u8>,
    pub(crate) parts: Vec<(i32, Form, Vec<u8>)>,
}

/// One stored form of one part.
#[derive(Clone)]
pub struct PartRef {
    pub batch_id: BatchId,
    /// The head that lists the part.
    pub head: Arc<SegmentHead>,
    pub part_no: usize,
    pub form: Form,
}

/// Tags of a head's fields; never used for anything else.
mod tag {
    pub(super) const KEY: u8 = 1;
    pub(super) const PART: u8 = 2;
}

impl SegmentPart {
    const fn numbers(&self) -> [u32; 6] {
        let Self {
            rows,
            len,
            crc32,
            guards,
            zstd_len,
            deflate_len,
        } = *self;
        [rows, len, crc32, guards, zstd_len, deflate_len]
    }

    fn read(text: &str) -> Option<Self> {
        let numbers: Vec<u32> = text.split(' ').map(str::parse).collect::<Result<_, _>>().ok()?;
        let [rows, len, crc32, guards, zstd_len, deflate_len] = numbers.try_into().ok()?;
        Some(Self {
            rows,
            len,
            crc32,
            guards,
            zstd_len,
            deflate_len,
        })
    }
}

impl SegmentHead {
    pub fn rows(&self) -> u64 {
        self.parts.iter().map(|part| u64::from(part.rows)).sum()
    }

    fn encode(&self) -> Vec<u8> {
        encode(|writer| {
            self.keys.iter().for_each(|key| writer.put(tag::KEY, key));
            for part in &self.parts {
                writer.put(
                    tag::PART,
                    part.numbers().map(|number| number.to_string()).join(" "),
                );
            }
        })
    }

    /// `None` where it is no head of this batch in this version.
    pub(crate) fn open(keys: &RequesterKeys, batch_id: BatchId, sealed: &[u8]) -> Option<Self> {
        let plain = keys
            .open(Purpose::SegmentHead, &head_place(batch_id), sealed)
            .ok()?;
        let (mut keys, mut parts) = (Vec::new(), Vec::new());
        for field in fields(&plain).ok()? {
            match field.ok()? {
                (tag::KEY, key) => keys.push(key.to_owned()),
                (tag::PART, text) => parts.push(SegmentPart::read(text)?),
                _ => {}
            }
        }
        Some(Self { keys, parts })
    }

    /// The bytes that bind a part to its batch, its number and form, and to what the head says of it.
    fn place(&self, batch_id: BatchId, part_no: usize, form: Form) -> Option<Vec<u8>> {
        let mut place = head_place(batch_id).to_vec();
        place.extend(u32::try_from(part_no).ok()?.to_be_bytes());
        place.extend(form.stored().to_be_bytes());
        for number in self.parts.get(part_no)?.numbers() {
            place.extend(number.to_be_bytes());
        }
        for key in &self.keys {
            place.extend(u32::try_from(key.len()).ok()?.to_be_bytes());
            place.extend(key.as_bytes());
        }
        Some(place)
    }
}

/// The bytes that bind a head to its batch and version.
fn head_place(batch_id: BatchId) -> [u8; 20] {
    let mut place = [0; 20];
    place[..16].copy_from_slice(batch_id.uuid().as_bytes());
    place[16..].copy_from_slice(&SEGMENT_FORMAT.to_be_bytes());
    place
}

impl SealedSegment {
    pub fn seal(
        keys: &RequesterKeys,
        (requester_id, batch_id): (RequesterId, BatchId),
        segment: NewSegment,
    ) -> Result<Self> {
        let NewSegment { head, forms } = segment;
        let mut parts = Vec::with_capacity(forms.len() * Form::ALL.len());
        for (no, bytes) in forms.into_iter().enumerate() {
            for (form, bytes) in Form::ALL.into_iter().zip(bytes) {
                // A batch has at most 5,000 lines, and so fewer parts; a part without its place in the head opens
                // nowhere.
                let place = head.place(batch_id, no, form).unwrap_or_default();
                let sealed = keys.seal(Purpose::SegmentPart, &place, bytes)?;
                parts.push((i32::try_from(no).unwrap_or(i32::MAX), form, sealed));
            }
        }
        Ok(Self {
            batch_id,
            requester_id,
            head: keys.seal(Purpose::SegmentHead, &head_place(batch_id), head.encode())?,
            parts,
        })
    }
}

impl Store {
    /// The bytes of parts of one requester, in the order asked for; `None` for each that is missing or does not open.
    pub async fn segment_parts(
        &self,
        requester_id: RequesterId,
        wanted: Vec<PartRef>,
    ) -> Result<Vec<Option<Bytes>>> {
        if wanted.is_empty() {
            return Ok(Vec::new());
        }
        self.read("segment_parts", move |reader| {
            Box::pin(async move {
                let places: Vec<(BatchId, i32, i16)> = wanted
                    .iter()
                    .map(|part| {
                        let no = i32::try_from(part.part_no).unwrap_or(i32::MAX);
                        (part.batch_id, no, part.form.stored())
                    })
                    .collect();
                let sql = reader.conn.text(format!(
                    "SELECT batch_id, part_no, form, sealed FROM segment_parts \
                     WHERE (batch_id, part_no, form) IN (VALUES {})",
                    values(0, padded_len(places.len()), 3)
                ));
                let rows: Vec<(Uuid, i32, i16, Vec<u8>)> = on!(&mut reader.conn, |c| {
                    let mut query = sqlx::query_as(sql);
                    for (batch_id, no, form) in padded(&places) {
                        query = query.bind(batch_id.uuid()).bind(no).bind(form);
                    }
                    query.fetch_all(c).await
                })?;
                let mut found: HashMap<(BatchId, i32, i16), Vec<u8>> = rows
                    .into_iter()
                    .map(|(id, no, form, sealed)| ((BatchId::from_uuid(id), no, form), sealed))
                    .collect();
                let keys = reader.requester_keys(requester_id).await?;
                let opened = wanted.iter().zip(&places).map(|(part, place)| {
                    let sealed = found.remove(place)?;
                    let place = part.head.place(part.batch_id, part.part_no, part.form)?;
                    keys.open_owned(Purpose::SegmentPart, &place, sealed).ok()
                });
                Ok(opened.collect())
            })
        })
        .await
    }
}
