//! Observe, plan, check and execute one attempt at a mirror fleet over small ports.
