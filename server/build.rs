//! Puts the built web app (`web/dist`, made by `npm run build`) into the binary. Without it the binary is built all the
//! same, and says at `/` how to get the app.

use std::{
    collections::BTreeSet,
    env,
    error::Error,
    fmt::Write,
    fs,
    hash::{DefaultHasher, Hash, Hasher},
    path::Path,
};

fn main() -> Result<(), Box<dyn Error>> {
    let dist = Path::new(&env::var("CARGO_MANIFEST_DIR")?).join("../web/dist");
    println!("cargo::rerun-if-changed={}", dist.display());
    let root = dist.to_str().ok_or("the path of the sources is no text")?;
    let mut files = BTreeSet::new();
    walk(&dist, root, &mut files)?;
    // By path, since it is found by binary search.
    let mut table = String::from("&[\n");
    let is_packed = |path: &str| Path::new(path).extension().is_some_and(|ending| ending == "br" || ending == "gz");
    for path in files.iter().filter(|path| !is_packed(path)) {
        let mut hash = DefaultHasher::new();
        fs::read(format!("{root}{path}"))?.hash(&mut hash);
        let packed = |ending: &str| {
            let name = format!("{path}{ending}");
            files.contains(&name).then(|| format!("Some(include_bytes!({:?}))", format!("{root}{name}")))
        };
        writeln!(
            table,
            "    Asset {{ path: {path:?}, etag: \"\\\"{:016x}\\\"\", plain: include_bytes!({:?}), brotli: {}, gzip: {} }},",
            hash.finish(),
            format!("{root}{path}"),
            packed(".br").as_deref().unwrap_or("None"),
            packed(".gz").as_deref().unwrap_or("None"),
        )?;
    }
    table.push(']');
    fs::write(Path::new(&env::var("OUT_DIR")?).join("web_assets.rs"), table)?;
    Ok(())
}

/// Every file below `folder`, as a path from `root` with a leading slash.
fn walk(folder: &Path, root: &str, files: &mut BTreeSet<String>) -> Result<(), Box<dyn Error>> {
    let Ok(entries) = fs::read_dir(folder) else { return Ok(()) };
    for entry in entries {
        let path = entry?.path();
        if path.is_dir() {
            walk(&path, root, files)?;
        } else {
            let text = path.to_str().ok_or("a file of the web app has a name that is no text")?;
            files.insert(text[root.len()..].to_owned());
        }
    }
    Ok(())
}
