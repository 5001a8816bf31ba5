//! How much memory a piece of work holds at once.

/// Does `work`, and demands that this thread holds at most `bytes_max` more meanwhile than before.
///
/// # Panics
///
/// When it does.
pub fn within<T>(bytes_max: usize, work: impl FnOnce() -> T) -> T {
    let mut outcome = None;
    let used = allocation_counter::measure(|| outcome = Some(work()));
    assert!(used.bytes_max <= bytes_max as u64, "{} bytes held, {bytes_max} allowed", used.bytes_max);
    outcome.expect("the work was done")
}
