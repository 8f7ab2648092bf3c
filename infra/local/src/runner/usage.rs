//! The memory and CPU usage of a process, from `/proc`. It is unknown on systems without `/proc`, such as macOS.

use serde::Serialize;

/// The memory and CPU usage of a process.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
pub struct Usage {
    /// Peak resident memory.
    pub peak_memory_bytes: u64,
    /// User and system time.
    pub cpu_seconds: f64,
}

/// Returns the usage of a process, or `None` when it has ended.
pub(super) fn of(pid: u32) -> Option<Usage> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    Some(Usage { peak_memory_bytes: peak_memory(&status)?, cpu_seconds: cpu_seconds(&stat)? })
}

fn peak_memory(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

/// Returns the sum of fields 14 and 15 of `stat` in proc(5). Fields are counted from the end of the name, which may
/// contain spaces and parentheses.
fn cpu_seconds(stat: &str) -> Option<f64> {
    let mut fields = stat.rsplit_once(") ")?.1.split(' ').skip(11);
    let user: u32 = fields.next()?.parse().ok()?;
    let system: u32 = fields.next()?.parse().ok()?;
    let ticks_per_second = u32::try_from(rustix::param::clock_ticks_per_second()).ok()?;
    Some((f64::from(user) + f64::from(system)) / f64::from(ticks_per_second))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fields_of_proc_are_found_after_any_name() {
        assert_eq!(peak_memory("Name:\tx\nVmPeak:\t 9 kB\nVmHWM:\t    7364 kB\n"), Some(7364 * 1024));
        let stat = "42 (a) b) S 1 42 42 0 -1 4194304 100 0 0 0 250 50 0 0 20 0 4 0 12345";
        let expected = 300.0 / f64::from(u32::try_from(rustix::param::clock_ticks_per_second()).unwrap());
        assert_eq!(cpu_seconds(stat), Some(expected));
    }
}
