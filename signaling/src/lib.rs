//! Chapar.
