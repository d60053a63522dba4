//! What one photo of 12 megapixels costs: `cargo build --release -p chapar-media --bins`, then
//! `cargo run --release -p chapar-media --example cost`. Without `--release` it takes a hundred times as long.

use std::{fs, path::Path, process::Command, time::Instant};

use chapar_media::{FileKind, Workers, prepare, work};
use image::{Rgb, RgbImage, codecs::jpeg::JpegEncoder};

fn main() {
    if let [_, photo, out] = &std::env::args().collect::<Vec<_>>()[..] {
        return alone(Path::new(photo), Path::new(out));
    }
    let folder = std::env::temp_dir().join(format!("chapar-media-cost-{}", std::process::id()));
    fs::create_dir_all(folder.join("out")).expect("makes a folder");
    let (photo, out) = (folder.join("photo.jpg"), folder.join("out"));
    // Smooth, with some noise: about as many bytes as a phone makes of it.
    let mut noise = 1u32;
    let picture = RgbImage::from_fn(4000, 3000, |x, y| {
        noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let grain = noise.to_le_bytes()[3] >> 4;
        let shade = |value: u32| u8::try_from(value % 240).unwrap_or(0) + grain;
        Rgb([shade(x / 17), shade(y / 13), shade((x + y) / 29)])
    });
    let mut bytes = Vec::new();
    JpegEncoder::new_with_quality(&mut bytes, 85).encode_image(&picture).expect("encodes");
    drop(picture);
    fs::write(&photo, &bytes).expect("writes");
    println!("a photo of 12 megapixels, {} KB", bytes.len() / 1000);
    // In a process of its own, whose memory is that of the work alone.
    let this = std::env::current_exe().expect("this program");
    let alone = Command::new(&this).args([&photo, &out]).status().expect("runs");
    assert!(alone.success());
    let Some(worker) = this.parent().and_then(|it| Some(it.parent()?.join("media-worker"))) else { return };
    let workers = Workers::new(worker, 1);
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    for _ in 0..5 {
        let begun = Instant::now();
        runtime.block_on(prepare(&workers, FileKind::Photo, &photo, &out)).expect("is taken");
        println!("worker: {} ms", begun.elapsed().as_millis());
    }
    let _ = fs::remove_dir_all(&folder);
}

fn alone(photo: &Path, out: &Path) {
    for _ in 0..5 {
        let begun = Instant::now();
        work(FileKind::Photo, photo, out).expect("is taken");
        println!("work: {} ms", begun.elapsed().as_millis());
    }
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    println!("{}", status.lines().find(|line| line.starts_with("VmHWM")).unwrap_or_default());
}
