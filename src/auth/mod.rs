//! The keys this node holds, signing and checking (`wire.md` 2, `config.md` 5).

/// The keys of `authkeys`.
#[derive(Clone)]
pub struct Keyring {}

impl std::fmt::Debug for Keyring {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Keyring")
    }
}
