//! A secret in memory: on a page of its own that no core dump takes along, and wiped before it is given back.

use std::fmt;
use std::sync::Arc;

use memmap2::{Advice, MmapMut};
use zeroize::{Zeroize, Zeroizing};

/// The bytes of a key; clones share them.
#[derive(Clone)]
pub(super) struct Secret(Arc<Kept>);

struct Kept {
    place: Place,
    length: usize,
}

enum Place {
    Page(MmapMut),
    /// Where the kernel gives no page: as good as can be had.
    Heap(Zeroizing<Vec<u8>>),
}

impl Secret {
    /// Takes it over; where it came from is wiped.
    pub(super) fn new(bytes: Vec<u8>) -> Secret {
        let bytes = Zeroizing::new(bytes);
        let length = bytes.len();
        let page = MmapMut::map_anon(length.max(1)).ok().map(|mut page| {
            // An old kernel that knows no such wish has the page all the same.
            let _ = page.advise(Advice::DontDump);
            page.iter_mut().zip(bytes.iter()).for_each(|(to, from)| *to = *from);
            page
        });
        let place = page.map_or_else(|| Place::Heap(bytes), Place::Page);
        Secret(Arc::new(Kept { place, length }))
    }

    /// Its bytes.
    pub(super) fn bytes(&self) -> &[u8] {
        let all: &[u8] = match &self.0.place {
            Place::Page(page) => page,
            Place::Heap(bytes) => bytes,
        };
        all.get(..self.0.length).unwrap_or_default()
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        if let Place::Page(page) = &mut self.place {
            page.zeroize();
        }
    }
}

impl PartialEq for Secret {
    fn eq(&self, other: &Secret) -> bool {
        self.bytes() == other.bytes()
    }
}

impl Eq for Secret {}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_what_it_was_made_of_and_lies_where_no_core_dump_looks() {
        let secret = Secret::new(b"of nobody's business".to_vec());
        assert_eq!(secret.bytes(), b"of nobody's business");
        assert_eq!(secret, secret.clone());
        assert_eq!(Secret::new(Vec::new()).bytes(), b"");
        // The kernel says `dd` of a mapping that is not dumped.
        let at = secret.bytes().as_ptr() as usize;
        let maps = std::fs::read_to_string("/proc/self/smaps").unwrap();
        let mut inside = false;
        let flags = maps.lines().find(|line| {
            let range = line.split(' ').next().and_then(|word| word.split_once('-'));
            let hex = |text: &str| usize::from_str_radix(text, 16).ok();
            if let Some((Some(from), Some(to))) = range.map(|(from, to)| (hex(from), hex(to))) {
                inside = (from..to).contains(&at);
            }
            inside && line.starts_with("VmFlags:")
        });
        assert!(flags.is_some_and(|flags| flags.split(' ').any(|flag| flag == "dd")), "{flags:?}");
    }
}
