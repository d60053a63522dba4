//! Opus in and out of Ogg (RFC 7845).

use std::{
    fs::File,
    io::{BufReader, BufWriter, Write as _},
    path::Path,
};

use ogg::{OggReadError, PacketReader, PacketWriteEndInfo, PacketWriter};

use super::{Head, LONGEST, packet};
use crate::work::{BROKEN, Refusal};

/// The serial number of the one stream: always the same, so that the same sound is the same file.
const SERIAL: u32 = 0x4368_6170;
/// A page a second of 20 ms packets: a player seeks by pages.
const PACKETS_A_PAGE: u32 = 50;

/// The packets of a stream, without its heads.
pub(crate) struct Reader {
    packets: PacketReader<BufReader<File>>,
    head: Head,
    serial: u32,
    ended: bool,
}

impl Reader {
    pub(crate) fn open(path: &Path) -> Result<Self, Refusal> {
        let mut packets = PacketReader::new(BufReader::new(File::open(path)?));
        let first = packets.read_packet().map_err(refusal)?.ok_or(BROKEN)?;
        let (head, serial) = (Head::parse(&first.data)?, first.stream_serial());
        let tags = packets.read_packet().map_err(refusal)?.ok_or(BROKEN)?;
        if !tags.data.starts_with(b"OpusTags") || tags.stream_serial() != serial {
            return Err(BROKEN);
        }
        Ok(Self { packets, head, serial, ended: false })
    }

    pub(crate) fn head(&self) -> &Head {
        &self.head
    }

    pub(crate) fn next_packet(&mut self) -> Result<Option<Vec<u8>>, Refusal> {
        while !self.ended {
            let Some(packet) = self.packets.read_packet().map_err(refusal)? else { break };
            if packet.stream_serial() == self.serial {
                // What follows the end is another stream, or nothing that belongs here.
                self.ended = packet.last_in_stream();
                return Ok(Some(packet.data));
            }
        }
        Ok(None)
    }
}

fn refusal(error: OggReadError) -> Refusal {
    match error {
        OggReadError::ReadError(error) => error.into(),
        _ => BROKEN,
    }
}

/// A stream that is being written.
pub(crate) struct Writer {
    pages: PacketWriter<'static, BufWriter<File>>,
    pre_skip: u64,
    /// Samples up to the end of `waiting`.
    granule: u64,
    /// The last packet must say that it is the last.
    waiting: Option<Vec<u8>>,
    on_page: u32,
}

impl Writer {
    pub(crate) fn create(path: &Path, head: &Head) -> Result<Self, Refusal> {
        let mut pages = PacketWriter::new(BufWriter::new(File::create(path)?));
        let vendor = b"chapar";
        let length = u32::try_from(vendor.len()).unwrap_or_default().to_le_bytes();
        let tags = [&b"OpusTags"[..], &length, vendor, &[0; 4]].concat();
        pages.write_packet(head.bytes(), SERIAL, PacketWriteEndInfo::EndPage, 0)?;
        pages.write_packet(tags, SERIAL, PacketWriteEndInfo::EndPage, 0)?;
        Ok(Self { pages, pre_skip: head.pre_skip.into(), granule: 0, waiting: None, on_page: 0 })
    }

    pub(crate) fn push(&mut self, packet: Vec<u8>) -> Result<(), Refusal> {
        let samples = packet::samples(&packet)?;
        if let Some(waiting) = self.waiting.replace(packet) {
            self.on_page += 1;
            let full = self.on_page == PACKETS_A_PAGE;
            let end = if full { PacketWriteEndInfo::EndPage } else { PacketWriteEndInfo::NormalPacket };
            self.pages.write_packet(waiting, SERIAL, end, self.granule)?;
            self.on_page %= PACKETS_A_PAGE;
        }
        self.granule += samples;
        if self.granule > LONGEST { Err(Refusal::TooLarge) } else { Ok(()) }
    }

    /// Ends the stream; the samples that are heard.
    pub(crate) fn finish(mut self) -> Result<u64, Refusal> {
        let last = self.waiting.take().ok_or(BROKEN)?;
        self.pages.write_packet(last, SERIAL, PacketWriteEndInfo::EndStream, self.granule)?;
        self.pages.inner_mut().flush()?;
        Ok(self.granule.saturating_sub(self.pre_skip))
    }
}
