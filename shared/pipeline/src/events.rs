//! Drops out of every event shape.
