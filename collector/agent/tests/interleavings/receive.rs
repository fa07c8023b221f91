//! The handover as it is, and what it knows of steering.

#[allow(dead_code, reason = "a model uses part of it")]
#[path = "../../src/receive/handover.rs"]
pub(crate) mod handover;

pub(crate) mod steer {
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub(crate) enum Wrapping {
        Vxlan,
    }

    impl Wrapping {
        pub(crate) const ALL: [Self; 1] = [Self::Vxlan];
    }
}
