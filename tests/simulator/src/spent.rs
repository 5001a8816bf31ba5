//! What this process has spent: on Linux, as the kernel tells it.

use std::{fs, time::Duration};

/// Processor time of this process so far, on its first thread, on which simulations run; `None` if the system does
/// not say.
pub fn processor_time() -> Option<Duration> {
    let text = fs::read_to_string("/proc/self/schedstat").ok()?;
    let nanos = text.split(' ').next()?.parse().ok()?;
    Some(Duration::from_nanos(nanos))
}

/// Most memory that this process has had so far, in bytes; `None` if the system does not say.
pub fn memory_peak_bytes() -> Option<u64> {
    let text = fs::read_to_string("/proc/self/status").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kibibytes: u64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kibibytes * 1024)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn linux_tells_what_a_process_has_spent() {
        assert!(processor_time().is_some());
        assert!(memory_peak_bytes().is_some_and(|bytes| bytes > 1_000_000));
    }
}
