//! A small reader of ELF executables: which versions of symbols they ask the C library for (`.gnu.version_r`).

/// The kind of a section that lists versions asked for.
const VERNEED: usize = 0x6fff_fffe;

/// Every version asked for, such as `GLIBC_2.17`.
pub(crate) fn versions_needed(bytes: &[u8]) -> Result<Vec<String>, String> {
    if bytes.get(..6) != Some(b"\x7fELF\x02\x01") {
        return Err("no 64-bit little-endian ELF file".to_owned());
    }
    let sections = number(bytes, 0x28, 8)?;
    let (size, count) = (number(bytes, 0x3a, 2)?, number(bytes, 0x3c, 2)?);
    let mut found = Vec::new();
    for nth in 0..count {
        let header = sections + nth * size;
        if number(bytes, header + 4, 4)? != VERNEED {
            continue;
        }
        let (table, link) = (number(bytes, header + 24, 8)?, number(bytes, header + 40, 4)?);
        let strings = number(bytes, sections + link * size + 24, 8)?;
        let mut library = table;
        for _ in 0..number(bytes, header + 44, 4)? {
            let mut version = library + number(bytes, library + 8, 4)?;
            for _ in 0..number(bytes, library + 2, 2)? {
                let name = bytes.get(strings + number(bytes, version + 8, 4)?..).ok_or("a name outside of the file")?;
                let name = name.split(|byte| *byte == 0).next().unwrap_or_default();
                found.push(String::from_utf8_lossy(name).into_owned());
                version += number(bytes, version + 12, 4)?;
            }
            library += number(bytes, library + 12, 4)?;
        }
    }
    Ok(found)
}

fn number(bytes: &[u8], at: usize, length: usize) -> Result<usize, String> {
    let found = bytes.get(at..at + length).ok_or("the file is cut off")?;
    Ok(found.iter().rev().fold(0, |all, byte| all << 8 | usize::from(*byte)))
}

/// The numbers of `GLIBC_2.17`; none for a version of something else.
pub(crate) fn glibc(version: &str) -> Option<Vec<u32>> {
    version.strip_prefix("GLIBC_")?.split('.').map(|part| part.parse().ok()).collect()
}
