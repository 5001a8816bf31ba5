//! A buffer to spell keys in.

use std::cell::RefCell;

/// Lends `spell` a buffer of this thread's to spell a key in, so that a hit allocates nothing for it.
///
/// `spell` must not lend it again.
pub(crate) fn with_key_text<T>(spell: impl FnOnce(&mut String) -> T) -> T {
    KEY_TEXT.with_borrow_mut(spell)
}

thread_local! {
    static KEY_TEXT: RefCell<String> = const { RefCell::new(String::new()) };
}
