//! In-memory implementations of the store, the queues, the jobs and the secrets, with injected faults. For tests.

mod dump;
mod faults;
mod jobs;
mod listing;
mod queue;
mod secrets;
mod store;

pub use self::dump::assert_dumped;
pub use self::faults::{Call, Fault};
pub use self::jobs::MemoryJobs;
pub use self::listing::PAGE_ENTRIES;
pub use self::queue::{DeadLetter, MemoryQueue};
pub use self::secrets::MemorySecrets;
pub use self::store::{MemoryBody, MemoryStore};
