//! An index as one file, which is mapped into memory when it is opened.
//!
//! A header of 4,096 bytes is followed by the arrays of one segment, each at a multiple of 64 bytes,
//! in the byte order of the machine. Where an array begins and how long it is follows from the
//! number of items, the dimension and two flags, so the length of the file can be checked. Header
//! and arrays have checksums (CRC-32); that of the header is checked on opening, those of the arrays
//! on demand, as all of the file must be read for them.

use std::fs::File;
use std::io::{self, Write};
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use bytemuck::{Pod, Zeroable, bytes_of, cast_slice, pod_read_unaligned};

use crate::Error;
use crate::kernel::LANES;
use crate::kernel::codes::BLOCK;
use crate::workers::Workers;

use super::buffer::{Buffer, Mapping};
use super::codes::{Bounds, Codes};
use super::rows::{Items, Rows};
use super::{ItemIndex, Segment};

const MAGIC: [u8; 8] = *b"whyrecix";
const VERSION: u32 = 1;
const BYTE_ORDER: u32 = 0x0102_0304;
const HEADER: usize = 4_096;
const ALIGNMENT: usize = 64;

/// Bytes that are written or checked between two looks whether to go on.
const CHUNK: usize = 1 << 24;

/// Names of the arrays, in the order in which they stand in the file.
const ARRAYS: [&str; 7] = [
    "vectors",
    "biases",
    "codes",
    "scales",
    "code biases",
    "order",
    "bounds",
];

#[derive(Debug, Clone, Copy, PartialEq, Pod, Zeroable)]
#[repr(C)]
struct Header {
    magic: [u8; 8],
    version: u32,
    byte_order: u32,
    items: u64,
    dimension: u64,
    has_codes: u32,
    has_code_biases: u32,
    largest_norm: f64,
    largest_bias: f64,
    checksums: [u32; ARRAYS.len()],
    /// Of all bytes before it.
    checksum: u32,
}

impl Header {
    fn own_checksum(&self) -> u32 {
        let bytes = bytes_of(self);
        crc32fast::hash(&bytes[..bytes.len() - size_of::<u32>()])
    }

    /// Where each array stands, and where the file ends; None if no file can be so long.
    fn layout(&self) -> Option<([Range<usize>; ARRAYS.len()], usize)> {
        let items = usize::try_from(self.items)
            .ok()
            .filter(|items| *items <= i32::MAX as usize)?;
        let dimension = usize::try_from(self.dimension).ok()?;
        let coded = |count: usize| if self.has_codes == 1 { count } else { 0 };
        let places = coded(items.next_multiple_of(LANES));
        let lengths = [
            items
                .checked_mul(dimension)?
                .checked_mul(size_of::<f32>())?,
            items * size_of::<f32>(),
            places.checked_mul(dimension.div_ceil(2))?.checked_mul(2)?,
            places * size_of::<u16>(),
            if self.has_code_biases == 1 {
                places * size_of::<u16>()
            } else {
                0
            },
            coded(items) * size_of::<u32>(),
            coded(items.div_ceil(BLOCK)) * size_of::<Bounds>(),
        ];
        let mut end = HEADER;
        let mut arrays = [const { 0..0 }; ARRAYS.len()];
        for (array, length) in arrays.iter_mut().zip(lengths) {
            let start = end.checked_next_multiple_of(ALIGNMENT)?;
            end = start.checked_add(length)?;
            *array = start..end;
        }
        Some((arrays, end))
    }
}

impl ItemIndex {
    /// Write the index to a file, as one segment; the file is whole or it is the one before.
    pub fn save(&self, path: &Path, workers: &Workers) -> Result<(), Error> {
        self.check_file()?;
        let mut whole = self.clone();
        whole.join(0, workers)?;
        let segment = whole.segments.first();
        let arrays: [&[u8]; ARRAYS.len()] =
            segment.map_or([&[]; ARRAYS.len()], |segment| segment.arrays());
        let codes = segment.and_then(|segment| segment.codes.as_ref());
        let mut header = Header {
            magic: MAGIC,
            version: VERSION,
            byte_order: BYTE_ORDER,
            items: self.items as u64,
            dimension: self.dimension as u64,
            has_codes: codes.is_some().into(),
            has_code_biases: codes.is_some_and(|codes| !codes.biases.is_empty()).into(),
            largest_norm: segment.map_or(0.0, |segment| segment.largest_norm),
            largest_bias: segment.map_or(0.0, |segment| segment.rows.largest_bias()),
            checksums: [0; ARRAYS.len()],
            checksum: 0,
        };
        for (checksum, array) in header.checksums.iter_mut().zip(arrays) {
            *checksum = checksum_of(array, workers)?;
        }
        header.checksum = header.own_checksum();
        let (places, _) = header.layout().expect("an index in memory has a layout");
        let folder = match path.parent() {
            Some(folder) if folder != Path::new("") => folder,
            _ => Path::new("."),
        };
        let failed = |error: io::Error| Error::file(path, error);
        let mut file = tempfile::NamedTempFile::new_in(folder).map_err(failed)?;
        let mut written = HEADER;
        let mut first = bytes_of(&header).to_vec();
        first.resize(HEADER, 0);
        file.write_all(&first).map_err(failed)?;
        for (place, array) in places.iter().zip(arrays) {
            file.write_all(&[0; ALIGNMENT][..place.start - written])
                .map_err(failed)?;
            for chunk in array.chunks(CHUNK) {
                workers.go_on()?;
                file.write_all(chunk).map_err(failed)?;
            }
            written = place.end;
        }
        file.as_file().sync_all().map_err(failed)?;
        file.persist(path).map_err(|error| failed(error.error))?;
        sync_folder(folder).map_err(failed)
    }

    /// Map a file that [`Self::save`] wrote; its length and header are checked.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let wrong = |reason: &str| Error::file(path, reason);
        let failed = |error: io::Error| Error::file(path, error);
        let file = File::open(path).map_err(failed)?;
        let length = file.metadata().map_err(failed)?.len();
        if length < HEADER as u64 {
            return Err(wrong(&format!(
                "{length} bytes are too few for an index; it was cut short"
            )));
        }
        let mapping = Mapping::new(file, path.to_owned()).map_err(failed)?;
        let header: Header = pod_read_unaligned(&mapping.bytes()[..size_of::<Header>()]);
        if header.magic != MAGIC {
            return Err(wrong("this is no index of items"));
        }
        if header.byte_order != BYTE_ORDER {
            return Err(wrong(
                "it was written on a machine with another byte order; build it anew",
            ));
        }
        if header.version != VERSION {
            return Err(wrong(&format!(
                "it has version {} of the format; this release reads version {VERSION}",
                header.version
            )));
        }
        if header.checksum != header.own_checksum() {
            return Err(wrong("the header is damaged: its checksum does not fit"));
        }
        let (arrays, end) = header
            .layout()
            .ok_or_else(|| wrong("the header asks for too much"))?;
        if length != end as u64 {
            return Err(wrong(&format!(
                "it has {length} bytes and should have {end}; it was cut or grown"
            )));
        }
        Ok(Self {
            items: header.items as usize,
            dimension: header.dimension as usize,
            segments: if header.items == 0 {
                Vec::new()
            } else {
                vec![Arc::new(Segment::mapped(
                    &header,
                    arrays,
                    Arc::new(mapping),
                ))]
            },
        })
    }

    /// Read the arrays of a file whole and compare their checksums.
    pub fn verify(&self, workers: &Workers) -> Result<(), Error> {
        for segment in &self.segments {
            let Buffer::Mapped { mapping, .. } = &segment.rows.vectors else {
                continue;
            };
            mapping.check()?;
            let header: Header = pod_read_unaligned(&mapping.bytes()[..size_of::<Header>()]);
            for ((array, expected), name) in segment
                .arrays()
                .into_iter()
                .zip(header.checksums)
                .zip(ARRAYS)
            {
                if checksum_of(array, workers)? != expected {
                    let reason = format!("the {name} are damaged: their checksum does not fit");
                    return Err(Error::file(mapping.path(), reason));
                }
            }
        }
        Ok(())
    }
}

impl Segment {
    fn mapped(
        header: &Header,
        arrays: [Range<usize>; ARRAYS.len()],
        mapping: Arc<Mapping>,
    ) -> Self {
        let [vectors, biases, codes, scales, code_biases, order, bounds] = arrays;
        let dimension = header.dimension as usize;
        let coded = header.has_codes == 1;
        let rows = Rows {
            items: Items::From(0),
            vectors: mapped(&mapping, vectors),
            biases: mapped(&mapping, biases),
            dimension,
            largest_bias: header.largest_bias,
        };
        let codes = coded.then(|| Codes {
            codes: mapped(&mapping, codes),
            scales: mapped(&mapping, scales),
            biases: mapped(&mapping, code_biases),
            order: mapped(&mapping, order),
            bounds: mapped(&mapping, bounds),
            pairs: dimension.div_ceil(2),
        });
        Self {
            rows,
            codes,
            largest_norm: header.largest_norm,
        }
    }

    /// All arrays, as they stand in a file.
    fn arrays(&self) -> [&[u8]; ARRAYS.len()] {
        let mut arrays: [&[u8]; ARRAYS.len()] = [&[]; ARRAYS.len()];
        arrays[0] = cast_slice(&self.rows.vectors);
        arrays[1] = cast_slice(&self.rows.biases);
        if let Some(codes) = &self.codes {
            arrays[2] = cast_slice(&codes.codes);
            arrays[3] = cast_slice(&codes.scales);
            arrays[4] = cast_slice(&codes.biases);
            arrays[5] = cast_slice(&codes.order);
            arrays[6] = cast_slice(&codes.bounds);
        }
        arrays
    }

    /// Fail if the file that the rows were mapped from has been altered.
    pub(super) fn check_file(&self) -> Result<(), Error> {
        match &self.rows.vectors {
            Buffer::Mapped { mapping, .. } => mapping.check(),
            Buffer::Owned(_) => Ok(()),
        }
    }
}

fn mapped<T: Pod>(mapping: &Arc<Mapping>, bytes: Range<usize>) -> Buffer<T> {
    Buffer::Mapped {
        mapping: Arc::clone(mapping),
        bytes,
    }
}

fn checksum_of(bytes: &[u8], workers: &Workers) -> Result<u32, Error> {
    let mut hasher = crc32fast::Hasher::new();
    for chunk in bytes.chunks(CHUNK) {
        workers.go_on()?;
        hasher.update(chunk);
    }
    Ok(hasher.finalize())
}

/// Make the new name of a file last, where folders can be opened.
fn sync_folder(folder: &Path) -> io::Result<()> {
    if cfg!(unix) {
        File::open(folder)?.sync_all()?;
    }
    Ok(())
}
