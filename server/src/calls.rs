//! The calls of the cluster.

pub mod quality;
